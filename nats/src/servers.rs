use std::fmt;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};

use crate::error::Error;

/// The oldest accepted server. Earlier ones lose whole streams when processes crash.
pub const OLDEST_SERVER: (i64, i64, i64) = (2, 10, 23);

/// Limits the attempt to connect, over all addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The servers of one NATS cluster, and how to connect to them.
///
/// ```
/// use reconify_nats::{ConnectOptions, Servers};
///
/// let options = ConnectOptions::new().user_and_password("gateway".into(), "secret".into());
/// let servers = Servers::new("nats://a.internal:4222,nats://b.internal:4222")?.options(options);
/// # Ok::<_, reconify_nats::Error>(())
/// ```
#[derive(Clone)]
pub struct Servers {
    addresses: Vec<ServerAddr>,
    options: ConnectOptions,
}

impl Servers {
    /// Reads addresses with commas between them, such as `nats://a:4222,tls://b:4222`.
    ///
    /// # Errors
    ///
    /// [`Error::Servers`], if an address is missing or not usable.
    pub fn new(addresses: &str) -> Result<Self, Error> {
        // The client accepts an address without a host.
        let is_usable =
            |address: &ServerAddr| !address.host().is_empty() && ["nats", "tls"].contains(&address.scheme());
        let parsed = |address: &str| address.trim().parse().ok().filter(is_usable);
        // An error does not show the address, which may contain a password.
        let unusable = || Error::Servers("use a list such as nats://a:4222,tls://b:4222".to_owned());
        let addresses = addresses.split(',').map(parsed).collect::<Option<_>>().ok_or_else(unusable)?;
        Ok(Self { addresses, options: ConnectOptions::new().name("reconify") })
    }

    /// Sets the client's own options: TLS, credentials file, token, or user and password.
    ///
    /// `max_reconnects` and `retry_on_initial_connect` have no effect, because this crate decides
    /// when to connect again.
    #[must_use]
    pub fn options(self, options: ConnectOptions) -> Self {
        Self { options, ..self }
    }

    /// Connects once. The client tries to connect again up to `reconnects` times after it has lost
    /// the connection.
    pub(crate) async fn connect(&self, reconnects: Option<usize>) -> Result<Client, Error> {
        let options = self.options.clone().max_reconnects(reconnects);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, options.connect(&self.addresses));
        let client = match connected.await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let text = error.to_string();
                return Err(match error.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        Error::Unauthorized(text)
                    }
                    _ => Error::Unreachable(text),
                });
            }
            Err(_) => return Err(Error::Unreachable("no server answered in time".to_owned())),
        };
        let (major, minor, patch) = OLDEST_SERVER;
        if client.is_server_compatible(major, minor, patch) {
            Ok(client)
        } else {
            Err(Error::TooOld(client.server_info().version))
        }
    }
}

/// Shows hosts and ports, but no credentials.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.addresses.iter().map(|address| format!("{}:{}", address.host(), address.port()));
        f.debug_tuple("Servers").field(&hosts.collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_list_with_commas_and_neither_debug_nor_error_shows_a_password() {
        let servers = Servers::new("nats://a:4222, tls://user:secret@b:4223").unwrap();
        assert_eq!(format!("{servers:?}"), r#"Servers(["a:4222", "b:4223"])"#);
        for text in ["", "nats://a,", "ws://a", "http://user:secret@a", "nats://user:secret@a:port"] {
            let error = Servers::new(text).unwrap_err();
            assert!(matches!(error, Error::Servers(_)) && !error.to_string().contains("secret"), "{error}");
        }
    }
}
