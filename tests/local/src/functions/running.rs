//! The invocations that are running, each a task of its own, so that they can be ended from outside.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{AbortHandle, JoinHandle};

/// The running invocations, shared.
#[derive(Default)]
pub(super) struct Running(Mutex<Invocations>);

#[derive(Default)]
struct Invocations {
    started: u64,
    /// By the order in which they started; each with its function's logical id.
    tasks: BTreeMap<u64, (String, AbortHandle)>,
}

impl Running {
    /// Starts an invocation. It goes on to its own end even if nobody waits for it any more, as on Lambda.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        logical_id: &str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        // Held until the task is noted, so that one that ends at once is noted before it is struck out.
        let mut invocations = self.lock();
        invocations.started += 1;
        let number = invocations.started;
        let entry = Entry { running: Arc::clone(self), number };
        let task = tokio::spawn(async move {
            let _entry = entry;
            work.await
        });
        invocations.tasks.insert(number, (logical_id.to_owned(), task.abort_handle()));
        task
    }

    /// Ends every running invocation of a function, wherever it is, and returns how many there were.
    pub(super) fn kill(&self, logical_id: &str) -> usize {
        let found: Vec<AbortHandle> = self
            .lock()
            .tasks
            .values()
            .filter(|(function, _)| function == logical_id)
            .map(|(_, task)| task.clone())
            .collect();
        found.iter().for_each(AbortHandle::abort);
        found.len()
    }

    fn lock(&self) -> MutexGuard<'_, Invocations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Strikes its invocation out when the task is gone.
struct Entry {
    running: Arc<Running>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().tasks.remove(&self.number);
    }
}
