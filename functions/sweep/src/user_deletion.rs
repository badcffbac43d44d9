//! A user who was deleted: first their media, so many in one step, then the rest of the account.
//!
//! Their media are deleted as any others, or handed over, each in a transaction of its own; and the account is settled
//! only once none is found. So a step that dies anywhere is made up for by the next one.

use domain::{DeletedUser, Media, MediaFate, MediaId, Timestamp, UserId};
use futures::{StreamExt as _, future, stream};
use table::{Account, ChangeError, DueWork};

use crate::State;
use crate::settle::{Outcome, SettleError, write_media};

/// How many media are read at a time, and how often in one step.
const PAGE_MEDIA: usize = 100;
const PAGES_OF_STEP: usize = 10;

/// How many media are changed at a time.
const CONCURRENT_MEDIA: usize = 8;

/// How many receivers are asked for who have been deleted themselves, one after the other.
const MAX_RECEIVERS: usize = 16;

/// How far a step came.
#[derive(Default)]
struct Step {
    /// The last media that was looked at, if there may be more behind it.
    gone_through: Option<MediaId>,
    /// Whether any was found.
    has_found: bool,
    /// Why one of them could not be changed. The others were.
    failure: Option<SettleError>,
}

/// Goes on with the deletion of a user, if this is still owed.
pub(crate) async fn settle(state: &State, due: &DueWork, user_id: UserId) -> Result<Outcome, SettleError> {
    let Account::Deleted(deleted) = state.table.account(user_id, state.clock.now()).await? else {
        state.table.forget_work(due).await?;
        return Ok(Outcome::Forgotten);
    };
    if deleted.work != Some(due.work) {
        return Ok(Outcome::Overtaken);
    }
    let step = go_through(state, &deleted).await?;
    let now = state.clock.now();
    if step.has_found || deleted.gone_through.is_some() {
        let next = deleted.look_again(step.gone_through, now);
        let outcome = write(state, &deleted, &next, Outcome::Later).await?;
        return step.failure.map_or(Ok(outcome), Err);
    }
    if now < deleted.last_look() {
        let next = deleted.look_again(None, deleted.last_look());
        return write(state, &deleted, &next, Outcome::Later).await;
    }
    if !state.table.remove_user_belongings(user_id).await? {
        return write(state, &deleted, &deleted.look_again(None, now), Outcome::Later).await;
    }
    write(state, &deleted, &deleted.settle(now), Outcome::Deleted).await
}

/// Puts a deletion off that failed.
pub(crate) async fn postpone(
    state: &State,
    due: &DueWork,
    user_id: UserId,
    later: Timestamp,
) -> Result<(), SettleError> {
    let account = state.table.account(user_id, state.clock.now()).await?;
    if let Account::Deleted(deleted) = account
        && deleted.work == Some(due.work)
    {
        let put_off = deleted.look_again(deleted.gone_through, later);
        write(state, &deleted, &put_off, Outcome::Later).await?;
    }
    Ok(())
}

/// Looks at the next media of a user, and does with them what is to be done.
async fn go_through(state: &State, deleted: &DeletedUser) -> Result<Step, SettleError> {
    let mut step = Step { gone_through: deleted.gone_through, ..Step::default() };
    let mut fate = None;
    for _ in 0..PAGES_OF_STEP {
        let page = state.table.owned_media(deleted.id, step.gone_through, PAGE_MEDIA).await?;
        step.gone_through = page.unfinished_after;
        if !page.items.is_empty() {
            step.has_found = true;
            let fate = match fate {
                Some(fate) => fate,
                None => *fate.insert(present_fate(state, deleted.fate).await?),
            };
            let failure = apply_to_all(state, fate, page.items).await;
            step.failure = step.failure.or(failure);
        }
        if step.gone_through.is_none() {
            break;
        }
    }
    Ok(step)
}

/// What becomes of the media as things are now. What a receiver who has been deleted meanwhile was to get is dealt with as
/// if it had been theirs already. One who is deleted just now is not: their own last look comes later than this step ends.
async fn present_fate(state: &State, fate: MediaFate) -> Result<MediaFate, SettleError> {
    let mut fate = fate;
    for _ in 0..MAX_RECEIVERS {
        let MediaFate::Keep { receiver_id } = fate else { return Ok(fate) };
        match state.table.account(receiver_id, state.clock.now()).await? {
            Account::User(_) => return Ok(fate),
            Account::Deleted(receiver) => fate = receiver.fate,
            Account::Absent => break,
        }
    }
    Err(SettleError::ReceiverMissing)
}

/// Changes media side by side, and answers the first failure. What somebody else changed meanwhile is found again.
async fn apply_to_all(state: &State, fate: MediaFate, media: Vec<(MediaId, Media)>) -> Option<SettleError> {
    let changes = stream::iter(media).map(|(media_id, media)| async move {
        let changed = fate.apply(&media, state.clock.now())?;
        let failure = write_media(state, &media, changed, Outcome::Later).await.err()?;
        tracing::error!(%media_id, error = %failure, "the media of a deleted user stays as it is");
        Some(failure)
    });
    let failures = changes.buffer_unordered(CONCURRENT_MEDIA).filter_map(future::ready);
    let failures: Vec<SettleError> = failures.collect().await;
    failures.into_iter().next()
}

async fn write(
    state: &State,
    previous: &DeletedUser,
    deleted: &DeletedUser,
    outcome: Outcome,
) -> Result<Outcome, SettleError> {
    match state.table.change_deleted_user(previous, deleted).await {
        Ok(()) => Ok(outcome),
        Err(ChangeError::Outdated) => Ok(Outcome::Overtaken),
        Err(ChangeError::Table(error)) => Err(error.into()),
    }
}
