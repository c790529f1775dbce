//! The authorities of the nodes' and the broker's certificates end too, and somebody knows it in time.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use eventify_kernel::clock::Clock;
use eventify_protocol::ids::NodeId;
use eventify_protocol::sync::{Down, Up};
use eventify_stack::Stack;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use tempfile::TempDir;

use crate::fleet::world::{Enrolled, Node, Venue, alarms_of, enrol_trusting, hello, renew_with};
use crate::world::replies::NodeShown;

/// Authorities in files.
struct Files {
    folder: TempDir,
    key: KeyPair,
}

impl Files {
    fn new(key: KeyPair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate of the key under the name of the stack's device authority, PEM.
    fn issue(&self, ends_at: DateTime<Utc>) -> String {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = "Eventify development device CA";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let serial = Clock::system().new_id();
        params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
        let since_1970 = u64::try_from(ends_at.timestamp()).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after =
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(since_1970);
        params.self_signed(&self.key).unwrap().pem()
    }

    fn write(&self, name: &str, pem: &str) -> String {
        std::fs::write(self.path(name), pem).unwrap();
        self.path(name).display().to_string()
    }
}

fn in_days(days: i64) -> DateTime<Utc> {
    (Clock::system().now() + TimeDelta::days(days)).trunc_subsecs(0)
}

async fn expires_at(venue: &Venue, node: NodeId) -> DateTime<Utc> {
    let path = format!("/fleet/nodes?venueId={}", venue.id);
    let nodes = venue.owner().get(&path).await.expect(200);
    let nodes: Vec<NodeShown> = serde_json::from_value(nodes["items"].clone()).unwrap();
    let node = nodes.into_iter().find(|it| it.node_id == node).unwrap();
    node.certificate_expires_at.unwrap()
}

fn end_of(chain: &str) -> DateTime<Utc> {
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&leaf).unwrap();
    DateTime::from_timestamp(leaf.validity().not_after.timestamp(), 0).unwrap()
}

/// Code and subject of what stands, as an administrator sees it after the hourly look.
async fn standing(venue: &Venue) -> Vec<(String, String)> {
    venue.core.run_job("fleet", "watch_certificates").await;
    let root = venue.core.user("root").role("ADMIN");
    let listed = root.get("/fleet/alarms").await.expect(200);
    let listed = listed["items"].as_array().unwrap().clone();
    let stand = listed.into_iter().filter(|it| it["subject"].is_string());
    let mut stand: Vec<_> = stand
        .map(|it| {
            assert!(it["act"].as_str().unwrap().len() > 100, "{it}");
            let text = |name: &str| it[name].as_str().unwrap().to_owned();
            (text("code"), text("subject"))
        })
        .collect();
    stand.sort();
    stand
}

/// The device authority ended on a day that nobody had been told of, and with it each gate's connection,
/// although the certificates of the gates said that they were valid for months.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_ends_soon_is_an_alarm_and_no_certificate_outlives_it() {
    let files = Files::new(KeyPair::generate().unwrap());
    let (device, broker) = (in_days(170), in_days(250));
    let pem = files.issue(device);
    let certificate = files.write("device.pem", &pem);
    let venue = Venue::limited(&[
        ("fleet.device_authority_certificate", &certificate),
        (
            "fleet.device_authority_key",
            &files.path("key.pem").display().to_string(),
        ),
        (
            "fleet.mqtt_authority",
            &files.write("broker.pem", &files.issue(broker)),
        ),
    ])
    .await;
    let of = |code: &str, setting: &str| (format!("fleet.{code}"), format!("fleet.{setting}"));
    let (nodes, mqtt) = ("device_authority_certificate", "mqtt_authority");
    assert_eq!(standing(&venue).await, [of("authority_ends", nodes)]);

    let code = venue.announce("North door").await.code;
    let key = KeyPair::generate().unwrap();
    let answer = enrol_trusting(pem.as_bytes(), &code, &key).await.unwrap();
    let id = answer.node_id;
    assert!(expires_at(&venue, id).await < in_days(91));

    venue.core.advance(TimeDelta::days(85));
    let renewed = renew_with(&venue, id, &key).await.unwrap();
    assert_eq!(end_of(&renewed.certificate_chain), device);
    assert_eq!(
        expires_at(&venue, id).await,
        device,
        "what is stored is true"
    );
    let ends = [of("authority_ends", mqtt), of("authority_ends_soon", nodes)];
    assert_eq!(standing(&venue).await, ends);

    // It has 25 days left, and no renewal could make it longer.
    venue.core.advance(TimeDelta::days(60));
    let again = renew_with(&venue, id, &key).await.unwrap();
    assert_eq!(again, renewed);
    venue.core.run_job("fleet", "watch_certificates").await;
    let raised = alarms_of(&venue.owner()).await;
    assert_eq!(
        raised,
        [],
        "one alarm about the authority, none for each node"
    );

    venue.core.advance(TimeDelta::days(26));
    let ended = [
        of("authority_ended", nodes),
        of("authority_ends_soon", mqtt),
    ];
    assert_eq!(standing(&venue).await, ended);
    let allow = format!("/fleet/nodes/{id}/renewal");
    venue.owner().post(&allow, json!({})).await.expect(200);
    let (status, body) = renew_with(&venue, id, &key).await.unwrap_err();
    assert_eq!(status, 503, "{body}");
    assert_eq!(body["error"]["code"], "device_authority_ended");
}

/// A new certificate of the same key: what nodes hold and what they have pinned stays good.
#[tokio::test(flavor = "multi_thread")]
async fn the_authoritys_next_certificate_reaches_nodes_and_broker() {
    let stack = Stack::shared().await.unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let key = KeyPair::from_pem(&read(&stack.device_ca().key)).unwrap();
    let files = Files::new(key);
    let next = files.issue(in_days(1_000));
    let both = next.clone() + &read(&stack.device_ca().certificate);
    let venue = Venue::limited(&[(
        "fleet.device_authority_certificate",
        &files.write("device.pem", &both),
    )])
    .await;
    assert_eq!(standing(&venue).await, []);
    let code = venue.announce("North door").await.code;
    let key = KeyPair::generate().unwrap();
    let answer = enrol_trusting(next.as_bytes(), &code, &key).await.unwrap();
    let certificates = CertificateDer::pem_slice_iter(answer.certificate_chain.as_bytes());
    assert_eq!(certificates.count(), 2, "a node pins the last one");
    let mut node: Node = Enrolled { answer, key }.connect(&venue).await;
    node.send(Up::Hello(hello(None))).await;
    node.receive("a welcome", |message| {
        matches!(message, Down::Welcome(_)).then_some(())
    })
    .await;
}
