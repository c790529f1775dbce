//! A scanner on the LAN.

use eventify_lan_client::{ClientError, Events, SigningKey, Timeouts};
use eventify_protocol::{
    ids::{GateId, ScanId},
    lan::{PairingCode, ScanAnswer, ScanRequest},
};

use super::{SOON, scan_id};

pub(crate) const TIMEOUTS: Timeouts = Timeouts {
    connect: SOON,
    request: SOON,
    silence: SOON,
};

#[derive(Clone)]
pub(crate) struct Scanner {
    /// The product's own client.
    pub(crate) lan: eventify_lan_client::Scanner,
}

impl Scanner {
    pub(crate) async fn pair(code: &PairingCode, seed: u8) -> Result<Self, ClientError> {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let label = format!("Scanner {seed}");
        let lan = eventify_lan_client::Scanner::pair(code, key, &label, TIMEOUTS).await?;
        Ok(Self { lan })
    }

    /// The answer to a new scan.
    pub(crate) async fn scan(&self, gate: GateId, token: &str) -> ScanAnswer {
        self.scan_as(gate, scan_id(), token).await.unwrap()
    }

    pub(crate) async fn scan_as(
        &self,
        gate_id: GateId,
        scan_id: ScanId,
        token: &str,
    ) -> Result<ScanAnswer, ClientError> {
        let token = token.to_owned();
        let request = ScanRequest {
            scan_id,
            gate_id,
            token,
        };
        self.lan.scan(&request).await
    }

    pub(crate) async fn events(&self) -> Events {
        self.lan.events().await.unwrap()
    }

    pub(crate) async fn renew_access(&mut self) {
        self.lan.renew_access().await.unwrap();
    }

    /// On connections of its own, like a scanner that was switched on just now.
    pub(crate) fn on_new_connections(&self) -> Self {
        let lan = self.lan.at(self.lan.node().url()).unwrap();
        Self { lan }
    }

    /// With a new access token at another address.
    pub(crate) async fn reconnect(&mut self, url: &str) {
        self.lan = self.lan.at(url).unwrap();
        self.renew_access().await;
    }
}

/// Status and code of the node's refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    let error = result.unwrap_err();
    match error.refusal() {
        Some(refusal) => format!("{} {}", refusal.status, refusal.error.code),
        None => panic!("{error:?}"),
    }
}
