//! E-mail over SMTP.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::channels::Email;
use super::{DeliveryError, Notice};

/// The port on which encryption begins at once, without STARTTLS.
const TLS_PORT: u16 = 465;

/// Sends a notice to everybody in one message.
pub(super) async fn send(email: &Email, notice: &Notice, source: &str, limit: Duration) -> Result<(), DeliveryError> {
    let refused = |what: &str| DeliveryError::Refused(what.to_string());
    let subject = format!("[{source}] {}: {}", notice.level.word(), notice.title);
    let mut message = Message::builder().from(email.from.clone()).subject(subject).header(ContentType::TEXT_PLAIN);
    for to in &email.to {
        message = message.to(to.clone());
    }
    let message = message.body(format!("{}\n\n{}\n", notice.title, notice.text));
    let message = message.map_err(|_| refused("the message cannot be written"))?;
    let tls = if email.plain {
        Tls::None
    } else {
        let parameters = TlsParameters::new(email.host.clone()).map_err(|_| refused("no certificates were found"))?;
        if email.port == TLS_PORT { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&email.host)
        .port(email.port)
        .timeout(Some(limit))
        .tls(tls);
    if let Some((user, password)) = &email.login {
        transport = transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_string()));
    }
    // The time-out of the transport is one for each line; this one is for all.
    match timeout(limit, transport.build().send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(judged(&error)),
        Err(_) => Err(DeliveryError::Failed("the mail server took too long".to_string())),
    }
}

/// The words for an error: nothing of what the server said.
fn judged(error: &lettre::transport::smtp::Error) -> DeliveryError {
    match error.status() {
        Some(code) if error.is_permanent() => DeliveryError::Refused(format!("the mail server refused with {code}")),
        Some(code) => DeliveryError::Failed(format!("the mail server answered {code}")),
        None if error.is_timeout() => DeliveryError::Failed("the mail server took too long".to_string()),
        None if error.is_tls() => DeliveryError::Failed("no encrypted connection to the mail server".to_string()),
        None if error.is_client() => DeliveryError::Refused("the mail server cannot do what is needed".to_string()),
        None => DeliveryError::Failed("no connection to the mail server".to_string()),
    }
}
