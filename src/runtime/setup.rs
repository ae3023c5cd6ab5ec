//! What proves that somebody may set the bot up, while nobody can log in yet.
//!
//! - The **setup token**: made while there is no user, printed by the core and kept in `control/setup_token`. Who has
//!   it can reach the machine.
//! - The **ticket**: the cookie of the browser whose configuration was accepted. Only its SHA-256 is kept, in
//!   `control/setup_ticket`, so that the browser may still register after a restart of the core.
//!
//! Both end with the first user.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::protocol::Secret;
use crate::vault::{Disk, DiskError, VaultError};

/// The setup token, relative to the data folder.
pub const TOKEN: &str = "control/setup_token";
/// The SHA-256 of the ticket.
pub const TICKET: &str = "control/setup_ticket";
/// Most bytes of either file.
const MOST_BYTES: usize = 256;
/// Letters of 256 bits in base64.
const LETTERS: usize = 43;

/// Token and ticket.
#[derive(Debug, Default)]
pub struct Setup {
    token: Option<Secret>,
    ticket: Option<String>,
    /// Whether the token is still to be told.
    fresh: bool,
}

impl Setup {
    /// Reads what there is. A file that holds something else counts as missing.
    ///
    /// # Errors
    /// The disk refused.
    pub fn open(disk: &Disk) -> Result<Setup, DiskError> {
        let token = text(disk, TOKEN)?.filter(|text| text.len() == LETTERS).map(|text| Secret::new(text.as_str()));
        let ticket = text(disk, TICKET)?.filter(|text| text.len() == 64).map(|text| text.to_string());
        Ok(Setup { token, ticket, fresh: false })
    }

    /// Makes the token if there is none, or a new one in its place.
    ///
    /// # Errors
    /// The disk refused, or the system has no random bytes. There is no token then.
    pub fn make_token(&mut self, disk: &Disk, renew: bool) -> Result<(), VaultError> {
        if self.token.is_some() && !renew {
            return Ok(());
        }
        self.token = None;
        let token = random().ok_or(VaultError::NoRandomness)?;
        disk.write(TOKEN, format!("{}\n", token.expose()).as_bytes())?;
        self.token = Some(token);
        self.fresh = true;
        Ok(())
    }

    /// A token that was made and not told yet, to be printed once.
    pub fn announce(&mut self) -> Option<Secret> {
        if std::mem::take(&mut self.fresh) { self.token.clone() } else { None }
    }

    /// Whether somebody typed the token.
    pub fn is_token(&self, typed: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.expose().as_bytes().ct_eq(typed.trim().as_bytes()).into())
    }

    /// Makes the ticket of the browser whose configuration is used.
    ///
    /// # Errors
    /// As [`Setup::make_token`].
    pub fn make_ticket(&mut self, disk: &Disk) -> Result<Secret, VaultError> {
        let ticket = random().ok_or(VaultError::NoRandomness)?;
        let sum = hex(ticket.expose());
        disk.write(TICKET, format!("{sum}\n").as_bytes())?;
        self.ticket = Some(sum);
        Ok(ticket)
    }

    /// Whether a cookie is the ticket.
    pub fn is_ticket(&self, cookie: &str) -> bool {
        self.ticket.as_ref().is_some_and(|sum| sum.as_bytes().ct_eq(hex(cookie).as_bytes()).into())
    }

    /// Makes the ticket worthless: its configuration is not used after all.
    ///
    /// # Errors
    /// The disk refused; the ticket is worthless all the same until a restart.
    pub fn drop_ticket(&mut self, disk: &Disk) -> Result<(), DiskError> {
        self.ticket = None;
        if disk.exists(TICKET)? { disk.remove(TICKET) } else { Ok(()) }
    }

    /// There is a user: both end.
    ///
    /// # Errors
    /// The disk refused; both are worthless all the same, and the next start removes the files.
    pub fn end(&mut self, disk: &Disk) -> Result<(), DiskError> {
        (self.token, self.fresh) = (None, false);
        self.drop_ticket(disk)?;
        if disk.exists(TOKEN)? { disk.remove(TOKEN) } else { Ok(()) }
    }
}

fn text(disk: &Disk, path: &str) -> Result<Option<Zeroizing<String>>, DiskError> {
    let content = match disk.read(path, MOST_BYTES) {
        Err(DiskError::TooLarge { .. }) => None,
        other => other?,
    };
    Ok(content.map(|content| Zeroizing::new(String::from_utf8_lossy(&content).trim().to_string())))
}

/// 256 random bits as text; `None` if the system has none.
fn random() -> Option<Secret> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    getrandom::fill(bytes.as_mut()).ok()?;
    Some(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::tests::harness::{folder, open};

    #[test]
    fn a_token_is_told_once_kept_over_restarts_and_ends_with_the_first_user() {
        let folder = folder();
        let disk = open(folder.path());
        let mut setup = Setup::open(&disk).unwrap();
        assert!(!setup.is_token("") && !setup.is_ticket(""));
        setup.make_token(&disk, false).unwrap();
        let token = setup.announce().unwrap();
        assert!(setup.announce().is_none());
        let mut again = Setup::open(&disk).unwrap();
        again.make_token(&disk, false).unwrap();
        assert!(again.announce().is_none(), "not told again");
        assert!(again.is_token(token.expose()) && !again.is_token("x"));
        again.make_token(&disk, true).unwrap();
        assert!(!again.is_token(token.expose()), "renewed");
        again.end(&disk).unwrap();
        assert!(!disk.exists(TOKEN).unwrap());
        assert!(!again.is_token(token.expose()) && !again.is_token(""));
    }

    #[test]
    fn only_the_sum_of_the_ticket_is_on_the_disk() {
        let folder = folder();
        let disk = open(folder.path());
        let mut setup = Setup::open(&disk).unwrap();
        let ticket = setup.make_ticket(&disk).unwrap();
        let content = std::fs::read_to_string(folder.path().join(TICKET)).unwrap();
        assert!(!content.contains(ticket.expose()));
        let again = Setup::open(&disk).unwrap();
        assert!(again.is_ticket(ticket.expose()));
        assert!(!again.is_ticket(content.trim()) && !again.is_ticket(""));
        setup.drop_ticket(&disk).unwrap();
        assert!(!setup.is_ticket(ticket.expose()) && !disk.exists(TICKET).unwrap());
    }

    #[test]
    fn a_damaged_file_proves_nothing() {
        let folder = folder();
        let disk = open(folder.path());
        for text in ["", "\n", "short", &"x".repeat(10_000)] {
            disk.write(TOKEN, text.as_bytes()).unwrap();
            disk.write(TICKET, text.as_bytes()).unwrap();
            let setup = Setup::open(&disk).unwrap();
            assert!(!setup.is_token(text) && !setup.is_ticket(text));
        }
    }
}
