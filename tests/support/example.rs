//! The examples as processes.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::PATIENCE;

/// Runs an example that ends by itself.
pub async fn run(name: &str, variables: &[(&str, &str)]) -> Output {
    let output = command(name, variables).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    tokio::time::timeout(PATIENCE, output).await.expect("it ends by itself").unwrap()
}

/// An example with these variables and none of the surrounding settings.
pub fn command(name: &str, variables: &[(&str, impl AsRef<OsStr>)]) -> Command {
    let mut command = Command::new(path(name));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_setting = text.starts_with("RECONIFY_") || text.ends_with("_BASE_URL");
        if is_setting || matches!(&*text, "RUST_LOG" | "LOG_FORMAT") {
            command.env_remove(name);
        }
    }
    command.env("LISTEN_ADDR", "127.0.0.1:0").envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    let example = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(example.exists(), "{} is missing: run `cargo build --examples` first", example.display());
    example
}
