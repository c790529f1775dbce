//! The crate's own runtime, which ends with the process: for tasks that serve a whole run or clean up
//! after a test, and so must outlive the runtime of the test that started them.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("eventify-stack")
            .enable_all()
            .build()
            .expect("a process that can't start a thread can't start servers")
    });
    runtime.spawn(task)
}
