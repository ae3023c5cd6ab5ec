//! The provisioning: from an accepted configuration to a bot that is ready, in small pieces.
//!
//! A configuration is accepted by [`accept`]: the audit log begins, the key `env` is made, the configuration is staged
//! under it, and `control/provision.flag` is raised, which commits to it. Then [`advance`] does one piece after the
//! other, on a thread of its own. Each piece can be repeated, so that after a stop anywhere the next start goes on
//! from the first piece; without the flag, or with a staged configuration that is not the one the flag names, it rolls
//! back to `initialize`. After [`Keys::finish_provisioning`](crate::vault::Keys::finish_provisioning) there is only
//! forward.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::configuration::{FIELDS, Group, variable};
use super::core::Core;
use super::env_file::{EnvFile, LIMITS};
use super::flags::{self, Flag, Found};
use super::house::House;
use super::input::Form;
use super::protocol::Secret;
use super::{BotState, Event, StateError, start};
use crate::accounting::{Books, BooksError, Identity};
use crate::market::{Nanos, format_time};
use crate::settings::Settings;
use crate::vault::audit::{Action, AuditError, Entry};
use crate::vault::users::{Storage, Users};
use crate::vault::{
    Actor, Category, DatabaseFile, Disk, DiskError, SecretFields, SecretFile, TextFile, VaultError, checks, layout,
    secrets,
};

/// Where the status lies before it is known who the bot is.
const STATUS: &str = "output/bootstrapping";
/// Most bytes of the staged configuration.
const MOST_STAGED: usize = 256 * 1024;
/// Pause before what a full disk refused is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// A step that people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Keys,
    Config,
    Secrets,
    Databases,
    Verify,
    Launch,
}

impl Step {
    const ALL: [Step; 6] = [Step::Keys, Step::Config, Step::Secrets, Step::Databases, Step::Verify, Step::Launch];

    const fn word(self) -> &'static str {
        match self {
            Step::Keys => "keys",
            Step::Config => "config",
            Step::Secrets => "secrets",
            Step::Databases => "databases",
            Step::Verify => "verify",
            Step::Launch => "launch",
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    Pending,
    Running,
    Done,
    Failed,
}

/// What `/wait` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How far it is.
    pub state: Progress,
    /// What is done now.
    pub step: Step,
    /// How many steps are done.
    pub steps_done: usize,
    /// Of how many.
    pub steps_total: usize,
    /// In words, without secrets.
    pub message: String,
    /// As of when.
    pub updated_utc: String,
}

/// The provisioning as the core sees it.
#[derive(Debug)]
pub struct Provisioning {
    status: Status,
    /// The piece that is next.
    at: usize,
    /// Why what was made is to be removed, where that could not be done at once.
    rolling_back: Option<String>,
    /// Whether a thread is at work.
    running: bool,
}

impl Default for Provisioning {
    fn default() -> Provisioning {
        let status = Status {
            state: Progress::Pending,
            step: Step::Keys,
            steps_done: 0,
            steps_total: Step::ALL.len(),
            message: "Waiting to begin.".to_string(),
            updated_utc: String::new(),
        };
        Provisioning { status, at: 0, rolling_back: None, running: false }
    }
}

impl Provisioning {
    /// What `/wait` shows.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Why the last attempt failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        (self.status.state == Progress::Failed).then_some(self.status.message.as_str())
    }
}

/// A piece of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Key(Category),
    Text(TextFile),
    Fields(SecretFile),
    Users,
    Books,
    Verify,
    Launch,
}

/// All pieces in order. `env` comes before the other keys.
fn pieces() -> Vec<(Step, Piece)> {
    let mut pieces: Vec<(Step, Piece)> = [Category::Audit, Category::Env].map(|c| (Step::Keys, Piece::Key(c))).into();
    let others = Category::ALL.into_iter().filter(|c| !matches!(c, Category::Audit | Category::Env));
    pieces.extend(others.map(|category| (Step::Keys, Piece::Key(category))));
    pieces.push((Step::Config, Piece::Fields(SecretFile::Env)));
    pieces.extend(TextFile::ALL.map(|file| (Step::Config, Piece::Text(file))));
    let files = Group::ALL.into_iter().filter_map(Group::file);
    pieces.extend(files.map(|file| (Step::Secrets, Piece::Fields(file))));
    pieces.extend([Piece::Users, Piece::Books].map(|piece| (Step::Databases, piece)));
    pieces.push((Step::Verify, Piece::Verify));
    pieces.push((Step::Launch, Piece::Launch));
    pieces
}

/// Why a piece was not done. Messages hold no secret and no path.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningError {
    /// The vault refused.
    #[error("{}", start::safe(.0))]
    Vault(#[from] VaultError),
    /// The audit log takes no entry.
    #[error("the audit log cannot be written")]
    Audit(#[from] AuditError),
    /// The disk refused.
    #[error("{}", start::safe_disk(.0))]
    Disk(#[from] DiskError),
    /// The state could not be changed.
    #[error("the bot's state cannot be changed")]
    State(#[from] StateError),
    /// The books cannot be made.
    #[error("{}", start::safe_books(.0))]
    Books(#[from] BooksError),
    /// The staged configuration cannot be used.
    #[error("the staged configuration cannot be used: {0}")]
    Staged(String),
    /// What was made does not pass its checks.
    #[error("what was made does not pass its checks: {0}")]
    Unfit(String),
}

/// Takes a checked configuration: the caller has looked at every field. Returns the ticket of the browser that sent
/// it.
///
/// # Errors
/// Something could not be written. What was made is removed again, or will be at the next start.
pub fn accept(house: &mut House, form: &Form, actor: &Actor, now: Nanos) -> Result<Secret, ProvisioningError> {
    let result = stage(house, form, actor, now);
    if let Err(error) = &result {
        let entry = Entry::new(now, actor, Action::ConfigSubmit, "configuration", "failed");
        house.audit.note(entry.detail(error.to_string()));
        let _ = withdraw_submission(house);
    }
    result
}

fn stage(house: &mut House, form: &Form, actor: &Actor, now: Nanos) -> Result<Secret, ProvisioningError> {
    // The audit log first: nothing is made that it does not know of.
    house.keys.provision(Category::Audit, now)?;
    house.audit.begin(house.keys.get(Category::Audit)?, now)?;
    let mut fields = SecretFields::new();
    for field in &FIELDS {
        // A password may begin or end with a blank; nothing else does.
        let value = match form.secret(field.name) {
            Some(value) if field.name.ends_with("_password") => value.expose(),
            _ => form.text(field.name),
        };
        fields.set(&variable(field), SecretString::from(value));
    }
    let _begun = house.audit.record(Entry::new(now, actor, Action::ConfigSubmit, "configuration", "accepted"))?;
    let fingerprint = house.keys.provision(Category::Env, now)?;
    let entry = Entry::new(now, actor, Action::KeyCreate, Category::Env.name(), "done");
    let _made = house.audit.record(entry.detail(fingerprint.as_str()))?;
    secrets::write_fields(&house.disk, &house.keys, SecretFile::Staged, &fields, now)?;
    let sha256 = staged_sum(&house.disk)?.ok_or_else(|| ProvisioningError::Staged("it is missing".to_string()))?;
    let ticket = house.setup.make_ticket(&house.disk)?;
    let entry = Entry::new(now, actor, Action::SecretEncrypt, SecretFile::Staged.path(), "done");
    let _staged = house.audit.record(entry.checksum(sha256.as_str()))?;
    let request = flags::Request {
        id: format!("{now}"),
        utc: format_time(now),
        user: if actor.user.is_empty() { "setup".to_string() } else { actor.user.clone() },
        sha256: Some(sha256),
    };
    flags::raise(&house.disk, Flag::Provision, &request)?;
    house.state.apply(Event::Configured, actor, &mut house.audit, now)?;
    house.provisioning = Provisioning { running: house.provisioning.running, ..Provisioning::default() };
    publish(house, Progress::Pending, Step::Keys, 0, "Waiting to begin.", now);
    Ok(ticket)
}

/// SHA-256 of the staged file as it lies on the disk.
fn staged_sum(disk: &Disk) -> Result<Option<String>, DiskError> {
    let content = disk.read(SecretFile::Staged.path(), MOST_STAGED)?;
    Ok(content.map(|content| Sha256::digest(content.as_slice()).iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Removes what [`accept`] makes, all but the audit log and its key.
fn withdraw_submission(house: &mut House) -> Result<(), ProvisioningError> {
    flags::lower(&house.disk, Flag::Provision)?;
    house.disk.remove(SecretFile::Staged.path())?;
    house.setup.drop_ticket(&house.disk)?;
    house.keys.withdraw()?;
    Ok(())
}

/// What a start finds of a provisioning, and what it makes of it. Returns whether there is work to go on with.
///
/// # Errors
/// What a stopped provisioning left cannot be removed now.
pub fn resume(house: &mut House, now: Nanos) -> Result<bool, ProvisioningError> {
    let state = house.state.state();
    let committed = is_committed(house)?;
    match state {
        BotState::Initialize if house.keys.is_complete() => Ok(false),
        BotState::Initialize if committed => {
            house.state.apply(Event::Configured, &Actor::core(), &mut house.audit, now)?;
            Ok(true)
        }
        BotState::Initialize => {
            let began = flags::read(&house.disk, Flag::Provision)? != Found::Nothing
                || house.disk.exists(SecretFile::Staged.path())?
                || house.keys.get(Category::Env).is_ok();
            if began {
                withdraw_submission(house)?;
            }
            Ok(false)
        }
        BotState::Provisioning | BotState::Bootstrapping if committed || house.keys.is_complete() => Ok(true),
        BotState::Provisioning | BotState::Bootstrapping => {
            roll_back(house, "A start found it without its configuration.", now)?;
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Whether the flag is there and names the staged configuration.
fn is_committed(house: &House) -> Result<bool, DiskError> {
    let Found::Request(request) = flags::read(&house.disk, Flag::Provision)? else { return Ok(false) };
    let staged = staged_sum(&house.disk)?;
    Ok(staged.is_some() && staged == request.sha256)
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next piece.
    Piece,
    /// Nothing: the bot is ready, or back in `initialize`, or halted.
    Ended,
    /// The same again, after a pause.
    Retry,
}

/// Does the next piece. What fails is rolled back, or, where there is no way back, tried again.
pub fn advance(house: &mut House, now: Nanos) -> Next {
    if !matches!(house.state.state(), BotState::Provisioning | BotState::Bootstrapping) {
        return Next::Ended;
    }
    if let Some(message) = house.provisioning.rolling_back.clone() {
        return if roll_back(house, &message, now).is_ok() { Next::Ended } else { Next::Retry };
    }
    let pieces = pieces();
    // A finished set of keys leaves nothing to be made.
    let first = if house.keys.is_complete() { pieces.len() - 2 } else { 0 };
    let at = house.provisioning.at.clamp(first, pieces.len() - 1);
    let (step, piece) = pieces[at];
    let begins = at == 0 || pieces[at - 1].0 != step || house.provisioning.status.step != step;
    let ends = pieces.get(at + 1).is_none_or(|(next, _)| *next != step);
    match work(house, step, piece, begins, ends, now) {
        Ok(()) => {
            house.provisioning.at = at + 1;
            if piece == Piece::Launch { Next::Ended } else { Next::Piece }
        }
        Err(error) => fail(house, step, &error, now),
    }
}

fn work(
    house: &mut House,
    step: Step,
    piece: Piece,
    begins: bool,
    ends: bool,
    now: Nanos,
) -> Result<(), ProvisioningError> {
    let core = Actor::core();
    if begins {
        publish(house, Progress::Running, step, step as usize, words(step), now);
        let _begun = house.audit.record(Entry::new(now, &core, Action::ProvisionStep, step.word(), "begun"))?;
    }
    match piece {
        Piece::Key(category) => {
            let fingerprint = house.keys.provision(category, now)?;
            let entry = Entry::new(now, &core, Action::KeyCreate, category.name(), "done");
            let _made = house.audit.record(entry.detail(fingerprint.as_str()))?;
        }
        Piece::Text(file) => {
            let text = text(house, file)?;
            secrets::write_text(&house.disk, &house.keys, file, &text, now)?;
            encrypted(house, file.path(), now)?;
        }
        Piece::Fields(file) => {
            let fields = fields(house, file)?;
            secrets::write_fields(&house.disk, &house.keys, file, &fields, now)?;
            encrypted(house, file.path(), now)?;
        }
        Piece::Users => {
            house.users = Some(Users::create_database(Storage { disk: &house.disk, keys: &house.keys }, now)?);
            encrypted(house, DatabaseFile::Users.path(), now)?;
        }
        Piece::Books => {
            let identity = identity(&staged(house)?);
            house.books = Some(Books::create(Storage { disk: &house.disk, keys: &house.keys }, &identity, now)?);
            for file in [DatabaseFile::Ledger, DatabaseFile::Coa] {
                encrypted(house, file.path(), now)?;
            }
        }
        Piece::Verify => verify(house, now)?,
        Piece::Launch => return launch(house, now),
    }
    if ends {
        let _done = house.audit.record(Entry::new(now, &core, Action::ProvisionStep, step.word(), "done"))?;
    }
    Ok(())
}

fn words(step: Step) -> &'static str {
    match step {
        Step::Keys => "Making the keys.",
        Step::Config => "Writing the configuration.",
        Step::Secrets => "Encrypting the secrets.",
        Step::Databases => "Making the databases.",
        Step::Verify => "Reading everything again.",
        Step::Launch => "Starting the bot.",
    }
}

fn encrypted(house: &mut House, path: &str, now: Nanos) -> Result<(), ProvisioningError> {
    let _made = house.audit.record(Entry::new(now, &Actor::core(), Action::SecretEncrypt, path, "done"))?;
    Ok(())
}

/// The staged configuration.
fn staged(house: &House) -> Result<SecretFields, ProvisioningError> {
    let fields = secrets::read_fields(&house.disk, &house.keys, SecretFile::Staged)?;
    fields.ok_or_else(|| ProvisioningError::Staged("it is missing".to_string()))
}

fn value<'a>(fields: &'a SecretFields, name: &str) -> &'a str {
    fields.get(&name.to_ascii_uppercase()).map_or("", |value| value.expose_secret())
}

fn text(house: &House, file: TextFile) -> Result<String, ProvisioningError> {
    let staged = staged(house)?;
    match file {
        TextFile::Env => {
            let env = EnvFile::of_form(|name| LIMITS.contains(&name).then(|| value(&staged, name)));
            let env = env.map_err(|_| ProvisioningError::Staged("a limit is out of its range".to_string()))?;
            Ok(env.to_text())
        }
        TextFile::EnvBot => first_settings(value(&staged, "broker_code"), &house.version)
            .ok_or_else(|| ProvisioningError::Staged("broker_code is no broker".to_string())),
    }
}

/// The text of `.env_bot` with every default, for this broker; `None` if it is no broker.
fn first_settings(broker: &str, version: &str) -> Option<String> {
    let mut settings = Settings::default();
    let (broker, version) = (format!("BROKER_NAME={broker}"), format!("VERSION_TAG={version}"));
    settings.set_all([broker.as_str(), version.as_str()], "the configuration").ok()?;
    Some(settings.to_text())
}

fn fields(house: &House, file: SecretFile) -> Result<SecretFields, ProvisioningError> {
    if file == SecretFile::Env {
        return Ok(env_fields(house));
    }
    let staged = staged(house)?;
    let mut fields = SecretFields::new();
    for field in FIELDS.iter().filter(|field| field.group.file() == Some(file)) {
        fields.set(&variable(field), SecretString::from(value(&staged, field.name)));
    }
    Ok(fields)
}

/// What `env.json.enc` holds.
fn env_fields(house: &House) -> SecretFields {
    let mut fields = SecretFields::new();
    fields.set("VERSION_TAG", SecretString::from(house.version.as_str()));
    fields
}

/// Whose books they are. All brokers that there are have accounts in dollars.
pub(super) fn identity(staged: &SecretFields) -> Identity {
    Identity {
        entity: value(staged, "entity_code").to_string(),
        jurisdiction: value(staged, "jurisdiction_code").to_string(),
        currency_code: "USD".to_string(),
    }
}

/// Makes anew what a lost key has taken along and no form could bring back: limits and settings with their defaults,
/// and empty books. What could not be decrypted any more has been set aside; what is there is left as it is. The
/// files of the other categories are written by a change of the configuration.
///
/// # Errors
/// It could not be written; it can be repeated.
pub fn refill(house: &mut House, category: Category, now: Nanos) -> Result<(), ProvisioningError> {
    if !house.keys.is_complete() {
        return Ok(());
    }
    let missing = |path: &str| house.disk.exists(path).map(|exists| !exists);
    let identity = secrets::read_fields(&house.disk, &house.keys, SecretFile::BotIdentity);
    match category {
        Category::EnvEnc if missing(TextFile::Env.path())? => {
            let text = EnvFile::default().to_text();
            secrets::write_text(&house.disk, &house.keys, TextFile::Env, &text, now)?;
            encrypted(house, TextFile::Env.path(), now)
        }
        Category::EnvBot if missing(TextFile::EnvBot.path())? => {
            let broker = identity?.map_or("SIM".to_string(), |fields| value(&fields, "broker_code").to_string());
            let text = first_settings(&broker, &house.version);
            let text = text.ok_or_else(|| ProvisioningError::Staged("broker_code is no broker".to_string()))?;
            secrets::write_text(&house.disk, &house.keys, TextFile::EnvBot, &text, now)?;
            house.forget_settings();
            encrypted(house, TextFile::EnvBot.path(), now)
        }
        Category::Env => {
            if missing(SecretFile::Env.path())? {
                secrets::write_fields(&house.disk, &house.keys, SecretFile::Env, &env_fields(house), now)?;
                encrypted(house, SecretFile::Env.path(), now)?;
            }
            let Some(fields) = identity? else { return Ok(()) };
            let storage = Storage { disk: &house.disk, keys: &house.keys };
            house.books = Some(Books::create(storage, &self::identity(&fields), now)?);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reads everything that was made, and declares the keys to be all: from here on there is no way back.
fn verify(house: &mut House, now: Nanos) -> Result<(), ProvisioningError> {
    if !house.keys.is_complete() {
        let missing = secrets::validate(&house.disk, &house.keys, true).into_iter();
        let mut faults: Vec<String> = missing.map(|finding| start::safe(&finding.error)).collect();
        let failed = checks::self_check(&house.disk)?.into_iter().filter(|check| !check.ok);
        faults.extend(failed.map(|check| format!("the check of the {} failed", check.module)));
        if !faults.is_empty() {
            return Err(ProvisioningError::Unfit(faults.join("; ")));
        }
        house.keys.finish_provisioning(now)?;
    }
    if house.state.state() == BotState::Provisioning {
        house.state.apply(Event::Provisioned, &Actor::core(), &mut house.audit, now)?;
    }
    Ok(())
}

/// The first start checks; then the bot is ready.
fn launch(house: &mut House, now: Nanos) -> Result<(), ProvisioningError> {
    house.disk.remove(SecretFile::Staged.path())?;
    flags::lower(&house.disk, Flag::Provision)?;
    house.faults = start::checks(house, now);
    if !house.faults.is_empty() {
        return Err(ProvisioningError::Unfit(house.faults.join("; ")));
    }
    let core = Actor::core();
    let _done = house.audit.record(Entry::new(now, &core, Action::ProvisionStep, Step::Launch.word(), "done"))?;
    house.state.apply(Event::Launched, &core, &mut house.audit, now)?;
    publish(house, Progress::Done, Step::Launch, Step::ALL.len(), "Ready.", now);
    Ok(())
}

fn fail(house: &mut House, step: Step, error: &ProvisioningError, now: Nanos) -> Next {
    let entry = Entry::new(now, &Actor::core(), Action::ProvisionStep, step.word(), "failed");
    house.audit.note(entry.detail(error.to_string()));
    let message = format!("This failed: {error}.");
    if !house.keys.is_complete() {
        house.provisioning.rolling_back = Some(message);
        return Next::Piece;
    }
    publish(house, Progress::Failed, step, step as usize, &message, now);
    if house.faults.is_empty() {
        return Next::Retry;
    }
    // The checks themselves found something, which does not go away by waiting.
    let fault = Event::Fault(super::Exposure::Flat);
    let _ = house.state.apply(fault, &Actor::core(), &mut house.audit, now);
    Next::Ended
}

/// Back to `initialize`: removes everything that was made, but the audit log and its key. Can be repeated after a
/// stop: the flag goes first, so that a start rolls back, too.
///
/// # Errors
/// The disk refused, or the keys had been finished.
pub fn roll_back(house: &mut House, message: &str, now: Nanos) -> Result<(), ProvisioningError> {
    publish(house, Progress::Failed, house.provisioning.status.step, 0, message, now);
    flags::lower(&house.disk, Flag::Provision)?;
    (house.users, house.books) = (None, None);
    remove_secrets(&house.disk)?;
    house.setup.drop_ticket(&house.disk)?;
    house.keys.withdraw()?;
    if house.state.state() != BotState::Initialize {
        house.state.apply(Event::RolledBack, &Actor::core(), &mut house.audit, now)?;
    }
    house.provisioning.at = 0;
    house.provisioning.rolling_back = None;
    Ok(())
}

/// Removes every secret, text and database.
pub(super) fn remove_secrets(disk: &Disk) -> Result<(), DiskError> {
    let secrets = SecretFile::ALL.into_iter().map(SecretFile::path);
    let texts = TextFile::ALL.into_iter().map(TextFile::path);
    let databases = DatabaseFile::ALL.into_iter().map(DatabaseFile::path);
    secrets
        .chain(texts)
        .chain(databases)
        .chain([layout::RESTORE])
        .try_for_each(|path| if disk.exists(path)? { disk.remove(path) } else { Ok(()) })
}

/// Sets the status, in memory and for whoever reads its files. A status that cannot be written stops nothing.
fn publish(house: &mut House, state: Progress, step: Step, steps_done: usize, message: &str, now: Nanos) {
    let steps_total = Step::ALL.len();
    let message = message.to_string();
    let status = Status { state, step, steps_done, steps_total, message, updated_utc: format_time(now) };
    let json = format!("{}\n", serde_json::json!(status));
    house.provisioning.status = status;
    let identity = house.identity();
    let mut folders = vec![STATUS.to_string()];
    if !identity.is_empty() {
        folders.push(format!("output/{identity}/bootstrapping"));
    }
    for folder in folders {
        if house.disk.make_folder(&folder).is_ok() {
            let _ = house.disk.write(&format!("{folder}/provisioning_status.json"), json.as_bytes());
        }
    }
}

/// Does the pieces on a thread of their own, if there are any and no thread does.
pub fn spawn(core: &Arc<Core>) {
    let begin = core.with(|house| {
        let waiting = matches!(house.state.state(), BotState::Provisioning | BotState::Bootstrapping);
        waiting && !std::mem::replace(&mut house.provisioning.running, true)
    });
    if !begin {
        return;
    }
    let worker = Arc::clone(core);
    let work = move || {
        loop {
            let now = worker.now();
            match worker.with(|house| advance(house, now)) {
                // Whoever waits for the house gets it between two pieces.
                Next::Piece => std::thread::yield_now(),
                Next::Retry => std::thread::sleep(RETRY),
                Next::Ended => break,
            }
        }
        worker.with(|house| house.provisioning.running = false);
    };
    if std::thread::Builder::new().name("provisioning".to_string()).spawn(work).is_err() {
        core.with(|house| house.provisioning.running = false);
    }
}
