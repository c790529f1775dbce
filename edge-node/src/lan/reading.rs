//! Long reads of the replica, on threads of their own: no scan waits for them, and few run at once.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{Lan, error::ApiError};
use crate::{
    owner::Insight,
    store::{Reader, StoreError},
};

/// Reads at once. A person waits for each, and the machine has few cores.
const MAX_READS: usize = 2;
/// How often a file may be replaced between being named and being opened.
const MAX_TRIES: usize = 3;

/// The places for reads.
#[derive(Clone, Debug)]
pub(super) struct Reads(Arc<Semaphore>);

impl Default for Reads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_READS)))
    }
}

impl Lan {
    /// Reads the replica in use.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Reader, &Insight) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<(T, Insight), ApiError> {
        let permit = Arc::clone(&self.reads.0).acquire_owned().await;
        let _permit = permit.map_err(|_| ApiError::Busy)?;
        let mut tries = 0;
        loop {
            let insight = self.owner.insight().await?;
            let read = read.clone();
            let done = spawn_blocking(move || {
                let found = Reader::open(&insight.replica).and_then(|it| read(&it, &insight));
                (found, insight)
            });
            tries += 1;
            match done.await {
                Ok((Ok(found), insight)) => return Ok((found, insight)),
                Ok((Err(error), _)) if tries < MAX_TRIES => {
                    tracing::debug!(%error, "the replica can't be read; it may have been replaced");
                }
                Ok((Err(error), _)) => {
                    tracing::warn!(code = "lan.read_failed", %error, "the replica can't be read");
                    return Err(ApiError::Busy);
                }
                Err(_) => return Err(ApiError::Internal),
            }
        }
    }
}
