//! bcrypt off the event loop, two at a time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bcrypt::HashParts;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::password::{MOST_BYTES, NewPassword};

/// The cost of new hashes: 2^12 rounds.
pub const BCRYPT_COST: u32 = 12;
/// How many hashes are computed at once.
pub const RUNNING: usize = 2;
/// How many more may wait for their turn.
pub const WAITING: usize = 8;

/// Salt and hash of no password, in bcrypt's letters: what unknown users are compared with.
const NOBODY: &str = "uh1Z3Vh0mC0ySGb5Vb0W2uKkM2a4wS6cQ9p8Yr1tXn7LdEoJfGiHe";

/// A bcrypt hash as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

impl PasswordHash {
    /// Reads a stored hash.
    ///
    /// # Errors
    /// [`HashError::Stored`] if it is not of bcrypt.
    pub fn new(text: &str) -> Result<PasswordHash, HashError> {
        HashParts::from_str(text).map_err(|_| HashError::Stored)?;
        Ok(PasswordHash(text.to_string()))
    }

    /// As it is stored, for the database only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its cost.
    pub fn cost(&self) -> u32 {
        HashParts::from_str(&self.0).map_or(0, |parts| parts.get_cost())
    }
}

/// A hash that was not computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// As many as may wait are waiting.
    #[error("too many passwords are being checked; try again in a moment")]
    Busy,
    /// What is stored is no bcrypt hash.
    #[error("the stored password hash is not of bcrypt")]
    Stored,
    /// bcrypt refused, or the system has no random bytes.
    #[error("the password could not be hashed")]
    Failed,
}

/// What a check of a password came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// Wrong, or there is nobody to be right about.
    No,
    /// Right.
    Yes,
    /// Right, and the stored hash is weaker than new ones: this replaces it.
    YesRehashed(PasswordHash),
}

/// Computes hashes.
#[derive(Debug, Clone)]
pub struct Hasher {
    cost: u32,
    /// Who may wait or run; whoever finds no place is refused at once.
    admitted: Arc<Semaphore>,
    /// Who may run.
    running: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher::with_cost(BCRYPT_COST)
    }
}

impl Hasher {
    /// With the cost of new hashes, held between 10 (the least that OWASP allows) and 16.
    pub fn new(cost: u32) -> Hasher {
        Hasher::with_cost(cost.clamp(10, 16))
    }

    fn with_cost(cost: u32) -> Hasher {
        Hasher {
            cost,
            admitted: Arc::new(Semaphore::new(RUNNING + WAITING)),
            running: Arc::new(Semaphore::new(RUNNING)),
        }
    }

    /// The cheapest hashes that there are, so that tests are quick.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Hasher {
        Hasher::with_cost(4)
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`HashError::Busy`], or bcrypt refused.
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash, HashError> {
        let cost = self.cost;
        self.run(move || hash(&password.into_secret(), cost)).await
    }

    /// Checks a password against a stored hash, or against nobody's (`None`: no such user), which takes as long.
    ///
    /// # Errors
    /// [`HashError::Busy`], or bcrypt refused.
    pub async fn verify(&self, password: SecretString, stored: Option<PasswordHash>) -> Result<Verified, HashError> {
        let cost = self.cost;
        self.run(move || verify(&password, stored.as_ref(), cost)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| HashError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| HashError::Failed)?;
        // The permits go with the work: when the caller goes away, the work goes on and still counts.
        let work = move || {
            let _permits: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (admitted, running);
            job()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| HashError::Failed)?
    }
}

fn hash(password: &SecretString, cost: u32) -> Result<PasswordHash, HashError> {
    bcrypt::non_truncating_hash(password.expose_secret(), cost).map(PasswordHash).map_err(|_| HashError::Failed)
}

fn verify(password: &SecretString, stored: Option<&PasswordHash>, cost: u32) -> Result<Verified, HashError> {
    let text = password.expose_secret();
    // bcrypt takes neither a NUL nor more than 71 bytes, so no stored hash is of such a password. It costs the same
    // time as any other.
    let possible = text.len() <= MOST_BYTES && !text.contains('\0');
    let candidate = if possible { text } else { "" };
    let nobody = PasswordHash(format!("$2b${cost:02}${NOBODY}"));
    let against = stored.unwrap_or(&nobody);
    let matches = bcrypt::non_truncating_verify(candidate, against.as_str()).map_err(|_| HashError::Failed)?;
    match stored {
        Some(stored) if matches && possible => {
            if stored.cost() < cost {
                Ok(Verified::YesRehashed(hash(password, cost)?))
            } else {
                Ok(Verified::Yes)
            }
        }
        _ => Ok(Verified::No),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const PASSWORD: &str = "blue kettle sings";

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
    }

    fn secret(text: &str) -> SecretString {
        text.to_string().into()
    }

    fn new_password(text: &str) -> NewPassword {
        NewPassword::new(secret(text), "alice", "alice@example.com").unwrap()
    }

    #[test]
    fn a_hash_is_of_the_form_in_the_contract() {
        runtime().block_on(async {
            let hash = Hasher::default().hash(new_password(PASSWORD)).await.unwrap();
            assert!(hash.as_str().starts_with("$2b$12$"));
            assert_eq!(hash.as_str().len(), 60);
            assert_eq!(hash.cost(), 12);
        });
    }

    #[test]
    fn the_right_password_and_nothing_else_is_right() {
        runtime().block_on(async {
            let hasher = Hasher::for_tests();
            let long = "x".repeat(64);
            let multi = format!("{}x", "é".repeat(35));
            for right in [PASSWORD, &long, &multi, "a b c d e f \t"] {
                let hash = hasher.hash(new_password(right)).await.unwrap();
                assert_eq!(hasher.verify(secret(right), Some(hash.clone())).await, Ok(Verified::Yes));
                for wrong in [format!("{right}x"), format!("{right}\0"), format!("{right}\0{right}"), String::new()] {
                    assert_eq!(hasher.verify(secret(&wrong), Some(hash.clone())).await, Ok(Verified::No));
                }
            }
        });
    }

    /// What plain bcrypt would do: cut after 72 bytes, and repeat what is before a NUL.
    #[test]
    fn nothing_is_cut_and_a_nul_is_no_way_round() {
        runtime().block_on(async {
            let hasher = Hasher::for_tests();
            let longest = "x".repeat(71);
            let hash = PasswordHash(bcrypt::hash(&longest, 4).unwrap());
            for wrong in ["x".repeat(72), "x".repeat(73), "x".repeat(1_000_000)] {
                assert_eq!(hasher.verify(secret(&wrong), Some(hash.clone())).await, Ok(Verified::No));
            }
            let empty = PasswordHash(bcrypt::hash("", 4).unwrap());
            assert_eq!(hasher.verify(secret("\0"), Some(empty.clone())).await, Ok(Verified::No));
            assert_eq!(hasher.verify(secret(&"x".repeat(100)), Some(empty)).await, Ok(Verified::No));
        });
    }

    #[test]
    fn a_weaker_hash_is_replaced_when_the_password_is_right() {
        runtime().block_on(async {
            let weak = Hasher::with_cost(4).hash(new_password(PASSWORD)).await.unwrap();
            let stronger = Hasher::with_cost(5);
            let Ok(Verified::YesRehashed(hash)) = stronger.verify(secret(PASSWORD), Some(weak.clone())).await else {
                panic!("expected a new hash");
            };
            assert_eq!(hash.cost(), 5);
            assert_eq!(stronger.verify(secret(PASSWORD), Some(hash.clone())).await, Ok(Verified::Yes));
            assert_eq!(stronger.verify(secret("wrong password"), Some(weak)).await, Ok(Verified::No));
            assert_eq!(Hasher::with_cost(4).verify(secret(PASSWORD), Some(hash)).await, Ok(Verified::Yes));
        });
    }

    #[test]
    fn an_unknown_user_takes_as_long_as_a_wrong_password() {
        runtime().block_on(async {
            let hasher = Hasher::with_cost(7);
            let hash = hasher.hash(new_password(PASSWORD)).await.unwrap();
            let mut known = Vec::new();
            let mut unknown = Vec::new();
            for _ in 0..9 {
                for (stored, times) in [(Some(hash.clone()), &mut known), (None, &mut unknown)] {
                    let start = Instant::now();
                    assert_eq!(hasher.verify(secret("a wrong password"), stored).await, Ok(Verified::No));
                    times.push(start.elapsed());
                }
            }
            known.sort();
            unknown.sort();
            let ratio = known[4].as_secs_f64() / unknown[4].as_secs_f64();
            assert!((0.5..2.0).contains(&ratio), "{known:?} {unknown:?}");
        });
    }

    #[test]
    fn nobodys_hash_is_a_hash_at_every_cost() {
        for cost in 4..=16 {
            assert_eq!(PasswordHash::new(&format!("$2b${cost:02}${NOBODY}")).unwrap().cost(), cost);
        }
    }

    #[test]
    fn what_is_stored_must_be_a_hash() {
        for text in ["", "plain text", "$2b$12$short", "$argon2id$v=19$m=19456,t=2,p=1$x$y", &"ü".repeat(30)] {
            assert_eq!(PasswordHash::new(text), Err(HashError::Stored));
        }
    }

    #[test]
    fn few_run_few_wait_the_rest_is_refused_and_the_loop_stays_free() {
        runtime().block_on(async {
            let hasher = Hasher::with_cost(8);
            let tasks: Vec<_> = (0..RUNNING + WAITING + 10)
                .map(|_| {
                    let hasher = hasher.clone();
                    tokio::spawn(async move { hasher.verify(secret("a wrong password"), None).await })
                })
                .collect();
            let start = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let late = start.elapsed();
            let mut done = 0;
            let mut busy = 0;
            for task in tasks {
                match task.await.unwrap() {
                    Ok(Verified::No) => done += 1,
                    Err(HashError::Busy) => busy += 1,
                    other => panic!("{other:?}"),
                }
            }
            assert!(done >= RUNNING + WAITING && busy > 0, "{done} done, {busy} refused");
            assert!(late < Duration::from_millis(500), "the timer came {late:?} late");
        });
    }

    #[test]
    fn a_caller_who_goes_away_does_not_free_a_place() {
        runtime().block_on(async {
            let hasher = Hasher::with_cost(9);
            for _ in 0..RUNNING {
                let verify = hasher.verify(secret("a wrong password"), None);
                let _ = tokio::time::timeout(Duration::from_millis(1), verify).await;
            }
            assert!(hasher.admitted.available_permits() <= WAITING);
        });
    }

    #[test]
    fn the_cost_stays_in_a_sane_range() {
        assert_eq!(Hasher::new(4).cost, 10);
        assert_eq!(Hasher::new(31).cost, 16);
        assert_eq!(Hasher::default().cost, 12);
    }

    #[test]
    fn nothing_secret_is_in_a_debug_form() {
        let hash = PasswordHash(bcrypt::hash(PASSWORD, 4).unwrap());
        assert_eq!(format!("{hash:?}"), "PasswordHash([REDACTED])");
        assert!(!format!("{:?}", Verified::YesRehashed(hash)).contains("$2b$"));
    }
}
