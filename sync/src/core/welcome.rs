//! How a node gets to the feed's head (`ADMISSION` 4.2 and 5.3).

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
    /// Which database this is.
    pub epoch: Epoch,
    /// The feed's head.
    pub head: Position,
    /// The venue's digest key.
    pub digest_key: DigestKey,
    /// The digest at the position that the `Hello` names, if it is still known. The epoch does not
    /// matter: a node that holds the same rows holds the same rows.
    pub digest_at_node: Option<Digest>,
    /// The oldest entry still held one by one.
    pub oldest: Position,
    /// The newest stored snapshot.
    pub snapshot: Option<StoredSnapshot>,
    /// What was *acknowledged* of the node's journal: all effects of these rows are in the feed up
    /// to `head`. Rows that are stored but not yet applied don't count; they come again.
    pub acknowledged: Option<JournalHead>,
}

/// A stored snapshot of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Its id.
    pub id: SnapshotId,
    /// The position that it holds.
    pub position: Position,
    /// Number of chunks.
    pub chunks: u32,
    /// SHA-256 over all chunks' bytes in order.
    pub hash: Hash32,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The node has to begin anew and no stored snapshot serves: make one, then plan again.
    #[error("no stored snapshot reaches the entries still held")]
    MakeSnapshot,
    /// The node speaks no digest algorithm that the core speaks.
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
    let joins = hello.digest.is_some()
        && hello.digest == known.digest_at_node
        && known.reaches_from(hello.head);
    if joins {
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
    /// Whether all entries after a position are held one by one.
    fn reaches_from(&self, position: Position) -> bool {
        position <= self.head && (position == self.head || position.next() >= self.oldest)
    }
}
