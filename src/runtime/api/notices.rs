//! Trying the channels of notices.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::notify::Channel;
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::input::Input;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::vault::audit::Action;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    channel: String,
}

/// `POST /api/v1/notifications/test`: sends one notice on one channel, and says what came of it.
pub async fn test(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Test { channel } = input.json()?;
    let channel = Channel::of(&channel)
        .ok_or_else(|| Refusal::invalid_field("channel", "Expected email, slack, sms or pagerduty."))?;
    let by = Arc::clone(caller);
    core.work(move |house| house.record(&by, Action::NotifyTest, channel.word(), "begun", json!(null)).map(drop))
        .await??;
    let sent = core.notifier.test(channel).await;
    let (ok, detail) = match &sent {
        Ok(()) => (true, String::new()),
        Err(error) => (false, error.to_string()),
    };
    let by = Arc::clone(caller);
    let status = if ok { "done" } else { "failed" };
    core.work(move |house| house.note_test(&by.actor(), channel.word(), status, by.now)).await?;
    Ok(Reply::json(json!({ "channel": channel.word(), "ok": ok, "detail": detail })))
}
