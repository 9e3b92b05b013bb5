//! The application's policy for an interaction before it is reported.

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::config::{Media, ReportOptions};
use crate::identity::{Identity, Session};
use crate::interaction::Interaction;
use crate::provider::media;
use crate::stats::{Settlement, WithholdReason};
use crate::unwind::guarded;

/// Omits media, derives the session, samples, and calls the hook.
pub(crate) fn apply(
    mut interaction: Interaction,
    reporting: &ReportOptions,
) -> Result<Interaction, Settlement> {
    if reporting.media == Media::Elide {
        let mut is_complete = true;
        let mut elide = |json: Box<RawValue>| {
            media::elide(json).unwrap_or_else(|json| {
                is_complete = false;
                json
            })
        };
        interaction.request.change(&mut elide);
        interaction.response.change(&mut elide);
        if !is_complete {
            // Media beyond the search limit would be reported with the rest of the content.
            interaction.omit_content();
            interaction.details.losses.is_truncated = true;
        }
    }
    if !reporting.hooks.is_empty() {
        // A value that a hook keeps must not keep other data in memory.
        interaction.request.detach();
        interaction.response.detach();
    }
    let interaction = with_session(interaction, reporting);
    if !is_in_sample(&interaction.identity, reporting.sample) {
        return Err(Settlement::Withheld(WithholdReason::SampledOut));
    }
    before_send(interaction, reporting).ok_or(Settlement::Withheld(WithholdReason::Hook))
}

fn with_session(mut interaction: Interaction, reporting: &ReportOptions) -> Interaction {
    let has_session = interaction.identity.session().is_some_and(|session| session.id().is_some());
    if let Some(hook) = reporting.hooks.session.as_ref().filter(|_| !has_session) {
        match guarded(|| hook(&interaction)) {
            Some(id) => {
                let timeout = interaction.identity.session().and_then(Session::timeout);
                let session = id.map(|id| Session::new(id).with_timeout(timeout.unwrap_or_default()));
                interaction.identity.session = session.or(interaction.identity.session.take());
            }
            None => interaction.details.losses.hook_panics += 1,
        }
    }
    interaction
}

/// Whether the interaction is in the sample. A session is sampled as a whole; without a session, a
/// user is.
fn is_in_sample(identity: &Identity, rate: f64) -> bool {
    if rate >= 1.0 {
        return true;
    }
    let session = identity.session().and_then(Session::id);
    let user = || identity.user().and_then(|user| user.id().or(user.address()));
    session.or_else(user).map_or_else(fastrand::f64, place) < rate
}

/// Maps a text to a number from 0 to 1 that is the same in every process and version. It comes from
/// the text's UUID of version 5 (RFC 9562), which is made with SHA-1.
fn place(text: &str) -> f64 {
    let (high, _) = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).as_u64_pair();
    // The version is in the lower bits. A float holds the upper 48 bits exactly.
    (high >> 16) as f64 / (1_u64 << 48) as f64
}

/// If the hook panics, the content is removed: the hook might have removed parts of it.
fn before_send(mut interaction: Interaction, reporting: &ReportOptions) -> Option<Interaction> {
    let Some(hook) = &reporting.hooks.before_send else { return Some(interaction) };
    let mut kept = interaction.share();
    guarded(|| hook(interaction)).unwrap_or_else(|| {
        kept.details.losses.hook_panics += 1;
        kept.omit_content();
        Some(kept)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::identity::User;
    use crate::interaction::{InteractionKind, Text};

    #[test]
    fn the_place_of_a_session_never_changes() {
        assert_eq!(format!("{:.6}", place("conversation-7")), "0.606096");
    }

    #[test]
    fn what_a_hook_keeps_keeps_nothing_else_in_memory() {
        struct Buffer {
            _held: Arc<()>,
        }

        impl AsRef<[u8]> for Buffer {
            fn as_ref(&self) -> &[u8] {
                b"  {}  "
            }
        }

        let (buffers, kept) = (Arc::new(()), Arc::new(Mutex::new(Vec::new())));
        let keep = Arc::clone(&kept);
        let config = Config::builder("app", "key").before_send(move |interaction| {
            keep.lock().unwrap().push(interaction.clone());
            Some(interaction)
        });
        let reporting = config.build().unwrap().reporting;
        let received =
            || Text::Received(Bytes::from_owner(Buffer { _held: Arc::clone(&buffers) }).slice(2..4)).into();
        let mut interaction = Interaction::new(InteractionKind::Chat, &1, &2).unwrap();
        (interaction.request, interaction.response) = (received(), received());
        drop(apply(interaction, &reporting));
        let [kept] = &kept.lock().unwrap()[..] else { panic!("one is kept") };
        assert_eq!((kept.request(), kept.response()), ("{}".into(), "{}".into()));
        assert_eq!(Arc::strong_count(&buffers), 1, "the buffers are gone");
    }

    #[test]
    fn as_many_are_kept_as_the_rate_says() {
        for rate in [0.0, 0.1, 0.5, 1.0] {
            let kept =
                (0..20_000).filter(|id| is_in_sample(&Session::new(id.to_string()).into(), rate)).count();
            assert!((kept as f64 / 20_000.0 - rate).abs() < 0.02, "{kept} of 20000 at {rate}");
        }
    }

    proptest! {
        #[test]
        fn a_session_is_kept_or_left_out_as_a_whole(id in ".{1,40}", user in ".{1,40}", rate in 0.0..1.0) {
            let alone = is_in_sample(&Session::new(&*id).into(), rate);
            let with_user = Identity::from((User::new(&*user), Session::new(&*id)));
            prop_assert_eq!(alone, is_in_sample(&with_user, rate));
            prop_assert!(!alone || is_in_sample(&with_user, 1.0), "a higher rate keeps what a lower one kept");
            let of_user = is_in_sample(&User::new(&*user).into(), rate);
            prop_assert_eq!(of_user, is_in_sample(&Identity::from((User::new(&*user), Session::new(""))), rate));
        }
    }
}
