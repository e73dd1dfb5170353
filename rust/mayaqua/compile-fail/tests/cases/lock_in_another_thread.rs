//! A lock given back by a thread that did not take it.

use mayaqua::lock::Lock;

fn main() {
    let lock = Lock::new();
    let guard = lock.lock();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
}
