/* libmayaqua from C++: handles that free themselves, statuses as exceptions.
 *
 *   c++ -std=c++17 examples/mayaqua.cpp -o mayaqua $(pkg-config --cflags --libs mayaqua)
 */

#include <mayaqua_ffi.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

static void check(MayaquaStatus status) {
    if (status != MAYAQUA_STATUS_OK) throw std::runtime_error(mayaqua_last_error());
}

/* The library, for as long as this lives. */
struct Library {
    Library() { check(mayaqua_init(MAYAQUA_ABI_VERSION)); }
    ~Library() { mayaqua_free_library(); }
    Library(const Library &) = delete;
    Library &operator=(const Library &) = delete;
};

/* A PACK that is freed when this goes. */
class Pack {
  public:
    Pack() { check(mayaqua_pack_new(&handle)); }
    explicit Pack(const std::vector<uint8_t> &bytes) {
        check(mayaqua_pack_from_bytes(bytes.data(), bytes.size(), &handle));
    }
    Pack(Pack &&other) noexcept : handle(std::exchange(other.handle, MayaquaPack{0})) {}
    Pack(const Pack &) = delete;
    Pack &operator=(const Pack &) = delete;
    ~Pack() { mayaqua_pack_free(handle); }

    void add(const char *name, uint32_t value) { check(mayaqua_pack_add_int(handle, name, value, 0, 1)); }
    void add(const char *name, const std::string &value) {
        check(mayaqua_pack_add_str(handle, name, value.c_str(), 0, 1));
    }
    uint32_t number(const char *name) const {
        uint32_t value = 0;
        check(mayaqua_pack_get_int(handle, name, 0, &value));
        return value;
    }
    std::string text(const char *name) const {
        size_t size = 0;
        if (mayaqua_pack_get_str(handle, name, 0, nullptr, 0, &size) != MAYAQUA_STATUS_NO_SPACE)
            throw std::runtime_error(mayaqua_last_error());
        std::string value(size + 1, '\0');
        check(mayaqua_pack_get_str(handle, name, 0, value.data(), value.size(), &size));
        value.resize(size);
        return value;
    }
    std::vector<uint8_t> bytes() const {
        size_t size = 0;
        mayaqua_pack_to_bytes(handle, nullptr, 0, &size);
        std::vector<uint8_t> result(size);
        check(mayaqua_pack_to_bytes(handle, result.data(), result.size(), &size));
        return result;
    }

  private:
    MayaquaPack handle{0};
};

int main() try {
    Library library;
    Pack pack;
    pack.add("method", "login");
    pack.add("version", 501);

    Pack again(pack.bytes());
    std::printf("%s %u\n", again.text("METHOD").c_str(), again.number("Version"));

    try {
        again.number("method");
        return 1;
    } catch (const std::runtime_error &error) {
        std::printf("as it should be: %s\n", error.what());
    }
    return again.text("method") == "login" ? 0 : 1;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
