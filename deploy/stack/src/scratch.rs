//! The temporary folder of a run's servers, and a child process that removes it even after a SIGKILL.
//!
//! The folder is in the system's temporary directory (`TMPDIR`), not in `target/`: when we are root,
//! PostgreSQL runs as another user, who can't enter a home folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::clock;
use crate::error::{During, Result};
use crate::process;

/// Waits for the end of its standard input, which the kernel closes when the owner ends, then removes
/// the folder. The servers are ending at the same moment, so it may take a few attempts.
const CLEANER: &str = r#"
cat >/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.2; done
"#;

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    cleaner: Child,
}

impl Scratch {
    pub(crate) fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("eventify-{}", clock::random_name::<6>()));
        fs::create_dir(&path).during(|| format!("creating {}", path.display()))?;
        // PostgreSQL's user may enter its own folder below it, but list nothing.
        fs::set_permissions(&path, Permissions::from_mode(0o711))
            .during(|| format!("protecting {}", path.display()))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", CLEANER, "cleaner"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let cleaner = process::spawn(command).during(|| "starting the cleaner".to_owned())?;
        Ok(Self { path, cleaner })
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
        drop(self.cleaner.stdin.take());
        if let Err(error) = self.cleaner.wait() {
            tracing::warn!(
                code = "stack.cleaner_wait_failed", %error,
                "Cannot wait for the cleaner's end."
            );
        }
    }
}
