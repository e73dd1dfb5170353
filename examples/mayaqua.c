/* libmayaqua from C: a message is made, sent through a FIFO, read again, and every mistake on the way is an error.
 *
 *   cc examples/mayaqua.c -o mayaqua $(pkg-config --cflags --libs mayaqua)
 */

#include <mayaqua_ffi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program where something is not as it should be. */
static void check(MayaquaStatus status, const char *what) {
    if (status != MAYAQUA_STATUS_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, mayaqua_strerror(status), mayaqua_last_error());
        exit(1);
    }
}

static void expect(bool true_, const char *what) {
    if (!true_) {
        fprintf(stderr, "not so: %s\n", what);
        exit(1);
    }
}

/* A PACK as bytes; the caller frees them by mayaqua_free(bytes, *size). */
static uint8_t *hello(size_t *size) {
    MayaquaPack pack;
    check(mayaqua_pack_new(&pack), "pack_new");
    check(mayaqua_pack_add_str(pack, "method", "login", 0, 1), "add_str");
    check(mayaqua_pack_add_int(pack, "version", 501, 0, 1), "add_int");
    check(mayaqua_pack_add_uni_str(pack, "greeting", "\xe6\x97\xa5\xe6\x9c\xac", 0, 1), "add_uni_str");

    /* A capacity of 0 asks for the size. */
    expect(mayaqua_pack_to_bytes(pack, NULL, 0, size) == MAYAQUA_STATUS_NO_SPACE, "the size is asked for");
    uint8_t *bytes = mayaqua_malloc(*size);
    expect(bytes != NULL, "there is memory");
    check(mayaqua_pack_to_bytes(pack, bytes, *size, size), "to_bytes");
    check(mayaqua_pack_free(pack), "pack_free");
    return bytes;
}

static int compare(const void *a, const void *b, void *context) {
    (void)context;
    return strcmp(a, b);
}

static void sorted_list(void) {
    char *words[] = {"pear", "apple", "fig"};
    MayaquaList list;
    void *found = NULL;
    check(mayaqua_list_new(compare, NULL, &list), "list_new");
    for (int i = 0; i < 3; i++) check(mayaqua_list_insert(list, words[i]), "insert");
    check(mayaqua_list_get(list, 0, &found), "get");
    expect(strcmp(found, "apple") == 0, "the list is sorted");
    char key[] = "fig";
    check(mayaqua_list_search(list, key, &found), "search");
    expect(found == words[2], "the item itself is found");
    check(mayaqua_list_free(list), "list_free");
}

static void mistakes(void) {
    MayaquaBuf buf;
    check(mayaqua_buf_new(&buf), "buf_new");
    check(mayaqua_buf_free(buf), "buf_free");
    expect(mayaqua_buf_free(buf) == MAYAQUA_STATUS_BAD_HANDLE, "a second free is an error");
    expect(mayaqua_buf_write(buf, (const uint8_t *)"x", 1) == MAYAQUA_STATUS_BAD_HANDLE, "as is a use after it");
    expect(mayaqua_buf_new(NULL) == MAYAQUA_STATUS_INVALID, "and a null");
    expect(mayaqua_softether_error(MAYAQUA_STATUS_INVALID) == 38, "ERR_INVALID_PARAMETER");

    void *memory = mayaqua_malloc(16);
    expect(mayaqua_free(memory, 15) == MAYAQUA_STATUS_INVALID, "another size is an error");
    check(mayaqua_free(memory, 16), "free");
    expect(mayaqua_free(memory, 16) == MAYAQUA_STATUS_INVALID, "a second free is an error");
}

int main(void) {
    check(mayaqua_init(MAYAQUA_ABI_VERSION), "init");
    check(mayaqua_self_test(), "self_test");

    size_t size = 0, read = 0, length = 0;
    uint8_t *bytes = hello(&size);

    MayaquaFifo fifo;
    check(mayaqua_fifo_new(&fifo), "fifo_new");
    check(mayaqua_fifo_write(fifo, bytes, size), "fifo_write");
    check(mayaqua_zero(bytes, size), "zero");
    check(mayaqua_fifo_read(fifo, bytes, size, &read), "fifo_read");
    expect(read == size, "all of it came out");
    check(mayaqua_fifo_free(fifo), "fifo_free");

    MayaquaPack pack;
    uint32_t version = 0;
    char text[64];
    expect(mayaqua_pack_from_bytes(bytes, size - 1, &pack) == MAYAQUA_STATUS_BAD_MESSAGE, "a cut PACK is refused");
    check(mayaqua_pack_from_bytes(bytes, size, &pack), "from_bytes");
    check(mayaqua_free(bytes, size), "free");
    check(mayaqua_pack_get_int(pack, "VERSION", 0, &version), "get_int");
    check(mayaqua_pack_get_uni_str(pack, "greeting", 0, text, sizeof text, &length), "get_uni_str");
    printf("libmayaqua %s: version %u, %s\n", mayaqua_version(), version, text);
    check(mayaqua_pack_free(pack), "pack_free");

    sorted_list();
    mistakes();

    uint8_t hash[20];
    check(mayaqua_sha0((const uint8_t *)"abc", 3, hash, sizeof hash), "sha0");
    check(mayaqua_str_from_bin(hash, sizeof hash, text, sizeof text, &length), "str_from_bin");
    printf("SHA-0 of abc: %s\n", text);
    check(mayaqua_free_library(), "free_library");
    return 0;
}
