//! How a node reaches the feed's head (`ADMISSION` 4.2 and 5.3).

use eventify_protocol::{
    hash::Hash32,
    ids::{MessageId, SnapshotId},
    sync::{
        DIGEST_ALGORITHM, Digest, DigestKey, Epoch, Hello, JournalHead, Plan, Position, Welcome,
    },
};

/// What the core knows when a `Hello` comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub epoch: Epoch,
    /// The feed's head.
    pub head: Position,
    pub digest_key: DigestKey,
    /// The digest at the `Hello`'s position, if it is still known. The epoch does not matter: the rows
    /// are the same.
    pub digest_at_node: Option<Digest>,
    /// The oldest entry that is not compacted.
    pub oldest: Position,
    /// The newest one.
    pub snapshot: Option<StoredSnapshot>,
    /// What was *acknowledged* of the node's journal: the feed has all effects of these rows at
    /// `head`. Rows that are stored but not yet applied don't count; they are sent again.
    pub acknowledged: Option<JournalHead>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    pub id: SnapshotId,
    pub position: Position,
    /// Number of chunks.
    pub chunks: u32,
    /// SHA-256 over all chunks' bytes in order.
    pub hash: Hash32,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The node needs a snapshot and no stored one can be continued: make one, then plan again.
    #[error("no stored snapshot can be continued with the entries that are left")]
    MakeSnapshot,
    #[error("node and core have no digest algorithm in common")]
    NoAlgorithm,
}

/// Answers a `Hello`.
///
/// # Errors
/// [`NoPlan`].
pub fn answer(id: MessageId, hello: &Hello, known: &Known) -> Result<Welcome, NoPlan> {
    if !hello.algorithms.contains(&DIGEST_ALGORITHM) {
        return Err(NoPlan::NoAlgorithm);
    }
    Ok(Welcome {
        answers: id,
        epoch: known.epoch,
        head: known.head,
        algorithm: DIGEST_ALGORITHM,
        digest_key: known.digest_key,
        plan: plan(hello, known)?,
        journal: known.acknowledged,
    })
}

fn plan(hello: &Hello, known: &Known) -> Result<Plan, NoPlan> {
    let continues = hello.digest.is_some()
        && hello.digest == known.digest_at_node
        && known.reaches_from(hello.head);
    if continues {
        return Ok(Plan::Delta { from: hello.head });
    }
    let snapshot = known
        .snapshot
        .filter(|snapshot| known.reaches_from(snapshot.position));
    let snapshot = snapshot.ok_or(NoPlan::MakeSnapshot)?;
    Ok(Plan::Snapshot {
        id: snapshot.id,
        position: snapshot.position,
        chunks: snapshot.chunks,
        hash: snapshot.hash,
    })
}

impl Known {
    /// Whether all entries after a position are available.
    fn reaches_from(&self, position: Position) -> bool {
        position <= self.head && (position == self.head || position.next() >= self.oldest)
    }
}
