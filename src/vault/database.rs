//! SQLite databases that exist in memory and, as one encrypted image, on the disk.
//!
//! A change is a transaction in memory, and is told to have happened only after the new image is on the disk. The
//! image says in its header which database it is, so that two under the same key cannot be exchanged.

use rusqlite::{Connection, Transaction};
use zeroize::Zeroizing;

use super::secrets::{open_file, seal_file};
use super::{Category, DatabaseFile, Disk, Keys, VaultError};
use crate::market::Nanos;

/// An image has at most this many bytes: encrypting takes memory and time in proportion.
const IMAGE_LIMIT: usize = 64 * 1024 * 1024;
/// How every SQLite image begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where the header of an image keeps the versions for writing and reading; 1 is a rollback journal, 2 is WAL.
const FORMAT_VERSIONS: std::ops::Range<usize> = 18..20;
/// Where it keeps the application id, as a big-endian number.
const APPLICATION_ID: std::ops::Range<usize> = 68..72;
/// The length of the header.
const HEADER_LENGTH: usize = 100;

/// Where the image of a database goes.
#[derive(Debug, Clone, Copy)]
pub struct Storage<'a> {
    /// The data folder.
    pub disk: &'a Disk,
    /// The keys, of which that of the database's category is used.
    pub keys: &'a Keys,
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    file: DatabaseFile,
    /// `None` after a save failed and the image on the disk could not be read again.
    connection: Option<Connection>,
}

impl Database {
    /// Creates a database with `schema`, a batch of statements, and saves it. One that is there is replaced.
    ///
    /// # Errors
    /// The statements fail, or it cannot be saved.
    pub fn create(
        disk: &Disk,
        keys: &Keys,
        file: DatabaseFile,
        schema: &str,
        now: Nanos,
    ) -> Result<Database, VaultError> {
        let failed = |source| VaultError::Database { category: file.category(), source };
        let connection = in_memory().map_err(failed)?;
        connection.pragma_update(None, "page_size", file.page_size()).map_err(failed)?;
        connection.pragma_update(None, "application_id", file.application_id()).map_err(failed)?;
        connection.execute_batch(schema).map_err(failed)?;
        let mut database = Database { file, connection: Some(connection) };
        database.save(disk, keys, now)?;
        Ok(database)
    }

    /// Opens a database into memory; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be decrypted, or is not the SQLite image that belongs there.
    pub fn open(disk: &Disk, keys: &Keys, file: DatabaseFile) -> Result<Option<Database>, VaultError> {
        let Some(image) = open_file(disk, keys, file.path(), file.category(), IMAGE_LIMIT)? else { return Ok(None) };
        Ok(Some(Database { file, connection: Some(load(file, &image)?) }))
    }

    /// Looks something up.
    ///
    /// # Errors
    /// The query fails.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, VaultError> {
        let category = self.file.category();
        let connection = self.connection.as_ref().ok_or(VaultError::DatabaseClosed { category })?;
        query(connection).map_err(|source| VaultError::Database { category, source })
    }

    /// Changes something in one transaction and saves the database. When this returns an error of the change
    /// itself, nothing has changed. When saving failed, memory is what the disk has: mostly the old content, the new
    /// one if only the last synchronisation failed.
    ///
    /// # Errors
    /// `change` returned one, or the database cannot be saved.
    pub fn change<T, E: From<VaultError>>(
        &mut self,
        disk: &Disk,
        keys: &Keys,
        now: Nanos,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let category = self.file.category();
        let failed = |source| VaultError::Database { category, source };
        let connection = self.connection.as_mut().ok_or(VaultError::DatabaseClosed { category })?;
        let transaction = connection.transaction().map_err(failed)?;
        // An error drops the transaction, which undoes it.
        let result = change(&transaction)?;
        transaction.commit().map_err(failed)?;
        if let Err(error) = self.save(disk, keys, now) {
            self.connection = None;
            if let Ok(Some(saved)) = Database::open(disk, keys, self.file) {
                *self = saved;
            }
            return Err(error.into());
        }
        Ok(result)
    }

    /// How much of the largest image that is kept is used: 1 is all of it.
    ///
    /// # Errors
    /// The database is closed.
    pub fn fullness(&self) -> Result<f64, VaultError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let bytes: i64 = self.read(|db| db.query_row(sql, [], |row| row.get(0)))?;
        Ok(bytes as f64 / IMAGE_LIMIT as f64)
    }

    /// Which database it is.
    pub fn file(&self) -> DatabaseFile {
        self.file
    }

    fn save(&mut self, disk: &Disk, keys: &Keys, now: Nanos) -> Result<(), VaultError> {
        let category = self.file.category();
        let connection = self.connection.as_mut().ok_or(VaultError::DatabaseClosed { category })?;
        let data = connection.serialize("main").map_err(|source| VaultError::Database { category, source })?;
        let image = Zeroizing::new(data.to_vec());
        check_header(self.file, &image)?;
        seal_file(disk, keys, self.file.path(), category, &image, IMAGE_LIMIT, now)
    }
}

/// Whether a database is there and can be used.
pub(super) fn examine(disk: &Disk, keys: &Keys, file: DatabaseFile) -> Result<bool, VaultError> {
    Ok(Database::open(disk, keys, file)?.is_some())
}

/// Whether bytes are a sound image of this database.
pub(super) fn check_image(file: DatabaseFile, image: &[u8]) -> Result<(), VaultError> {
    load(file, image).map(drop)
}

/// The largest image that is kept.
pub(super) fn image_limit() -> usize {
    IMAGE_LIMIT
}

/// A connection that never writes a file: neither the database nor what sorting and rolling back need.
fn in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

fn load(file: DatabaseFile, image: &[u8]) -> Result<Connection, VaultError> {
    let category = file.category();
    let failed = |source| VaultError::Database { category, source };
    check_header(file, image)?;
    let mut connection = in_memory().map_err(failed)?;
    connection.deserialize_read_exact("main", image, image.len(), false).map_err(failed)?;
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|_| VaultError::Content { category, what: "a damaged SQLite image" })?;
    if verdict != "ok" {
        return Err(VaultError::Content { category, what: "a damaged SQLite image" });
    }
    Ok(connection)
}

fn check_header(file: DatabaseFile, image: &[u8]) -> Result<(), VaultError> {
    let category: Category = file.category();
    let wrong = |what| Err(VaultError::Content { category, what });
    if image.len() < HEADER_LENGTH || !image.starts_with(MAGIC) {
        return wrong("no SQLite image");
    }
    if image[FORMAT_VERSIONS] != [1, 1] {
        return wrong("a SQLite image with a write-ahead log, which has no place here");
    }
    if image[APPLICATION_ID] != file.application_id().to_be_bytes() {
        return wrong("the image of another database");
    }
    Ok(())
}
