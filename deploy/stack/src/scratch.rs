//! The folder that a run's servers live in, and the janitor that removes it even after a SIGKILL.
//!
//! The folder is in the system's temporary directory (`TMPDIR` is honoured), not in `target/`:
//! PostgreSQL runs as another user when we are root, and that user can't pass through a home folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::clock;
use crate::error::{During, Result};
use crate::process;

/// Waits for the end of its standard input, which the kernel closes when the owner dies, then removes
/// the folder. The servers get their own signal at the same moment, so a few tries may be needed.
const JANITOR: &str = r#"
cat >/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.2; done
"#;

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    janitor: Child,
}

impl Scratch {
    pub(crate) fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("eventify-{}", clock::random_name::<6>()));
        fs::create_dir(&path).during(|| format!("creating {}", path.display()))?;
        // Others may pass through to their own folder (PostgreSQL's user), but not look around.
        fs::set_permissions(&path, Permissions::from_mode(0o711))
            .during(|| format!("protecting {}", path.display()))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", JANITOR, "janitor"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let janitor = process::spawn(command).during(|| "starting the janitor".to_owned())?;
        Ok(Self { path, janitor })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in the folder that only we can read.
    pub(crate) fn private_file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, content)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o600)))
            .during(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path).during(|| format!("creating {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        if let Err(error) = self.janitor.wait() {
            tracing::warn!(%error, "the janitor's end was not seen");
        }
    }
}
