//! A portable backup from elsewhere, taken in part by part.

use super::portable::Reading;
use super::{BackupError, BackupInfo, BackupKind, BackupName, info, path};
use crate::market::Nanos;
use crate::vault::disk::Draft;
use crate::vault::{Disk, VaultError, layout};

/// A portable backup that is arriving. It is no backup before [`Import::adopt`], and nothing of it is left if that does
/// not happen.
pub struct Import {
    disk: Disk,
    draft: Draft,
    reading: Reading,
}

impl Import {
    /// Nothing has arrived yet.
    ///
    /// # Errors
    /// The disk refused.
    pub fn begin(disk: &Disk) -> Result<Import, VaultError> {
        Ok(Import { disk: disk.clone(), draft: disk.draft(layout::BACKUPS)?, reading: Reading::default() })
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// It is no portable backup, or the disk refused.
    pub fn append(&mut self, part: &[u8]) -> Result<(), VaultError> {
        self.reading.take(part)?;
        Ok(self.draft.append(part)?)
    }

    /// How many bytes have arrived.
    pub fn bytes(&self) -> u64 {
        self.draft.bytes()
    }

    /// Makes it a backup, under a name of its own.
    ///
    /// # Errors
    /// It is no portable backup, there is one of the same second, or the disk refused.
    pub fn adopt(self, now: Nanos) -> Result<BackupInfo, VaultError> {
        self.reading.end()?;
        let name = BackupName::new(now, BackupKind::Portable);
        if self.disk.exists(&path(&name.to_string()))? {
            return Err(BackupError::Exists { name: name.to_string() }.into());
        }
        self.draft.adopt(&name.to_string())?;
        info(&self.disk, &name)
    }
}
