//! Files to a browser and from one.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::api::{self, jobs::List};
use super::core::Core;
use super::gate::{self, Caller};
use super::input::Input;
use super::protocol::{Download, MOST_DATA, Reply, Request, read_frame};
use super::reply::Refusal;
use super::routes::{Kind, Op, Route};

/// How long one side may wait for the other in the middle of a transfer.
pub const IDLE_TIME: Duration = Duration::from_secs(30);

/// What a download sends.
pub struct Sending {
    /// The answer before the data; if it is a refusal, there are none.
    pub reply: Reply,
    /// The data.
    pub data: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

impl Sending {
    /// A file of the data folder, as long as it is now.
    pub fn file(file: std::fs::File, filename: &str, content_type: &str) -> Result<Sending, Refusal> {
        let length = file.metadata().map_err(|_| Refusal::internal("The file cannot be read."))?.len();
        let data = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), length);
        Ok(Sending { reply: download(filename, content_type, length), data: Some(Box::new(data)) })
    }

    /// Something that was made just now.
    pub fn bytes(bytes: Vec<u8>, filename: &str, content_type: &str) -> Sending {
        let reply = download(filename, content_type, bytes.len() as u64);
        Sending { reply, data: Some(Box::new(Cursor::new(bytes))) }
    }

    /// Something that is made while it is sent.
    pub fn stream(data: Box<dyn AsyncRead + Send + Unpin>, filename: &str, content_type: &str) -> Sending {
        let mut reply = download(filename, content_type, 0);
        if let Some(download) = &mut reply.download {
            download.bytes = None;
        }
        Sending { reply, data: Some(data) }
    }

    fn refusal(reply: Reply) -> Sending {
        Sending { reply, data: None }
    }
}

fn download(filename: &str, content_type: &str, bytes: u64) -> Reply {
    let (filename, content_type) = (filename.to_string(), content_type.to_string());
    let download = Some(Download { filename, content_type, bytes: Some(bytes) });
    Reply { status: 200, download, ..Reply::default() }
}

impl Core {
    /// Carries out a transfer: takes what the browser sends from `from`, and gives what it gets.
    pub async fn transfer(self: &Arc<Core>, request: Request, from: &mut (impl AsyncRead + Unpin + Send)) -> Sending {
        let (caller, route, input) = match self.admit(request).await {
            Ok(admitted) => admitted,
            Err(reply) => return Sending::refusal(*reply),
        };
        let done = match route.kind {
            Kind::Upload => self.upload(route.op, &caller, &input, from).await.map(Sending::refusal),
            _ => self.download(route, &caller, &input).await,
        };
        let mut sending = done.unwrap_or_else(|refusal| {
            Sending::refusal(self.with(|house| gate::refuse(house, &caller, route, refusal)))
        });
        if sending.reply.cookies.is_empty() {
            sending.reply.cookies = gate::session_cookies(&caller);
        }
        sending
    }

    async fn download(
        self: &Arc<Core>,
        route: &Route,
        caller: &Arc<Caller>,
        input: &Input,
    ) -> Result<Sending, Refusal> {
        match route.op {
            Op::BackupDownload => api::backups::download(self, caller, input).await,
            Op::LogDownload => api::logs::download(self, input).await,
            Op::BacktestFile => api::results::file(self, List::Backtests, input).await,
            Op::SweepFile => api::results::file(self, List::Sweeps, input).await,
            Op::BacktestSeries => api::results::columns(self, List::Backtests, input).await,
            Op::SweepSeries => api::results::columns(self, List::Sweeps, input).await,
            Op::LedgerExport => api::ledger::export(self, caller, input).await,
            Op::CoaExport => api::chart::export(self, caller, input).await,
            Op::TaxReport => api::reports::tax(self, caller, input).await,
            Op::ActivityReport => api::reports::activity(self, caller, input).await,
            _ => Err(Refusal::not_found("There is no such file.")),
        }
    }

    async fn upload(
        self: &Arc<Core>,
        op: Op,
        caller: &Arc<Caller>,
        input: &Input,
        from: &mut (impl AsyncRead + Unpin + Send),
    ) -> Result<Reply, Refusal> {
        match op {
            Op::BackupUpload => api::backups::upload(self, caller, input, from).await,
            Op::LedgerUpload => api::statements::upload(self, caller, input, from).await,
            _ => Err(Refusal::not_found("Nothing is taken in here.")),
        }
    }
}

/// A file that a browser sends.
pub struct Receiving<'a, R> {
    from: &'a mut R,
    most: usize,
    received: usize,
}

impl<'a, R: AsyncRead + Unpin> Receiving<'a, R> {
    /// A file of `most` bytes at most.
    pub fn new(from: &'a mut R, most: usize) -> Receiving<'a, R> {
        Receiving { from, most, received: 0 }
    }

    /// The next part; `None` after the last one.
    ///
    /// # Errors
    /// The file is larger, the browser went away, or it waits too long.
    pub async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let part = match timeout(IDLE_TIME, read_frame(self.from, MOST_DATA)).await {
            Ok(Ok(Some(part))) => part,
            Ok(_) => return Err(Refusal::new(400, "malformed", "The file did not arrive as a whole.")),
            Err(_) => return Err(Refusal::new(408, "timeout", "The file stopped arriving.")),
        };
        self.received += part.len();
        if self.received > self.most {
            let kib = self.most / 1024;
            return Err(Refusal::new(413, "too_large", format!("The file is larger than {kib} KiB.")));
        }
        Ok((!part.is_empty()).then_some(part))
    }
}

/// Takes in what a browser sends as a whole, `most` bytes at most.
///
/// # Errors
/// It is more, the browser went away, or it waits too long.
pub async fn receive(from: &mut (impl AsyncRead + Unpin), most: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut receiving = Receiving::new(from, most);
    let mut content = Zeroizing::new(Vec::new());
    while let Some(part) = receiving.next().await? {
        let needed = content.len() + part.len();
        if needed > content.capacity() {
            // Twice as much as there is, as a vector grows, but never beyond what may come.
            let more = needed.max(content.len() * 2).min(most) - content.len();
            content.reserve_exact(more);
        }
        content.extend_from_slice(&part);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::protocol::write_frame;

    async fn received(frames: &[&[u8]], most: usize) -> Result<Vec<u8>, u16> {
        let mut wire = Vec::new();
        for frame in frames {
            write_frame(&mut wire, frame).await.unwrap();
        }
        receive(&mut wire.as_slice(), most).await.map(|c| c.to_vec()).map_err(|refusal| refusal.status)
    }

    #[tokio::test]
    async fn a_file_arrives_whole_or_not_at_all() {
        assert_eq!(received(&[b"ab", b"c", b""], 3).await, Ok(b"abc".to_vec()));
        assert_eq!(received(&[b""], 3).await, Ok(Vec::new()));
        assert_eq!(received(&[b"ab", b"c"], 3).await, Err(400), "no end");
        assert_eq!(received(&[b"ab", b"cd", b""], 3).await, Err(413));
    }

    #[tokio::test]
    async fn a_file_takes_no_more_memory_than_one_may_have() {
        let mut wire = Vec::new();
        for frame in [&b"abcdef"[..], b"ghi", b"j", b""] {
            write_frame(&mut wire, frame).await.unwrap();
        }
        let content = receive(&mut wire.as_slice(), 10).await.unwrap();
        assert_eq!(**content, *b"abcdefghij");
        assert_eq!(content.capacity(), 10);
    }
}
