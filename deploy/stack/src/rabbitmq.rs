//! A private RabbitMQ node with its MQTT plugin on mutual TLS.
//!
//! One node serves a whole run; each test has a virtual host of its own, made through the management
//! API (about 12 ms; `rabbitmqctl` starts an Erlang VM for each call and takes over a second).
//!
//! - AMQP and the management API listen on loopback; their one user is RabbitMQ's internal one.
//! - MQTT listens on TLS only. The handshake fails without a certificate of the device CA. Its common
//!   name, `vhost:user`, is the identity; RabbitMQ asks over HTTP what that user may do (see
//!   [`crate::broker_auth`]).
//! - The Erlang distribution and its port mapper (`epmd`) listen on loopback, on our own ports, and the
//!   mapper is our child: they never meet another node, and end with us.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::broker_auth::Dispatcher;
use crate::clock;
use crate::error::{During, Result, StackError};
use crate::pki::BrokerFiles;
use crate::ports;
use crate::process::{Program, Server, StopSignal, run_to_end};
use crate::scratch::Scratch;

const USER: &str = "eventify";
const READY_LIMIT: Duration = Duration::from_secs(120);
/// Where Debian keeps RabbitMQ; the scripts in `/usr/sbin` would switch to the system's user.
const DEBIAN_ROOT: &str = "/usr/lib/rabbitmq/lib";
const PLUGINS: &str = "[rabbitmq_management,rabbitmq_mqtt,rabbitmq_auth_backend_http,\
                       rabbitmq_auth_mechanism_ssl].\n";

const CONFIGURATION_FILE: &str = "rabbitmq.conf";
const PLUGINS_FILE: &str = "enabled_plugins";
/// Distribution on loopback; idle schedulers don't spin, because the tests need the processor.
const ERLANG_ARGUMENTS: &str = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} \
                                +sbwt none +sbwtdcpu none +sbwtdio none";

const MESSAGE_LIMIT: &str = "
# Before it is refused, a message lies in the memory of broker and core.
max_message_size = 4194304
";

/// How to reach the run's RabbitMQ.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RabbitMq {
    amqp_port: u16,
    management_port: u16,
    mqtt_port: u16,
    password: String,
    broker_ca: PathBuf,
    server_certificate: PathBuf,
    server_key: PathBuf,
}

impl RabbitMq {
    /// The core's URL of a virtual host.
    #[must_use]
    pub fn amqp_url(&self, vhost: &str) -> String {
        let Self {
            amqp_port,
            password,
            ..
        } = self;
        format!("amqp://{USER}:{password}@127.0.0.1:{amqp_port}/{vhost}")
    }

    /// Port of the MQTT listener (TLS, client certificate required) on `127.0.0.1` and `localhost`.
    #[must_use]
    pub fn mqtt_port(&self) -> u16 {
        self.mqtt_port
    }

    /// PEM file of the authority that signed the broker's certificate; edge nodes trust it.
    #[must_use]
    pub fn broker_ca(&self) -> &Path {
        &self.broker_ca
    }

    /// PEM files of the broker's own certificate and key, for a proxy in front of it.
    pub(crate) fn server_identity(&self) -> (&Path, &Path) {
        (&self.server_certificate, &self.server_key)
    }

    /// The management API with its login, for hand use.
    #[must_use]
    pub fn management_url(&self) -> String {
        let Self {
            management_port,
            password,
            ..
        } = self;
        format!("http://{USER}:{password}@127.0.0.1:{management_port}")
    }

    /// Makes a virtual host on which the AMQP user has all permissions.
    pub(crate) async fn create_vhost(&self, vhost: &str) -> Result<()> {
        self.management(reqwest::Method::PUT, &format!("vhosts/{vhost}"))
            .await?;
        // The core declares `edge.unrouted`; `amq.topic` is the broker's own, so only a policy can
        // make that its alternate exchange.
        let alternate = json!({"alternate-exchange": "edge.unrouted"});
        let topic = ("exchanges", r"^amq\.topic$");
        self.put_policy(vhost, "edge-unrouted", topic, alternate)
            .await?;
        // A node that doesn't read: the MQTT plugin declares its queue, so only a policy bounds it.
        let bounds = json!({"max-length": 2000, "max-length-bytes": 67_108_864});
        let downlinks = ("queues", "^mqtt-subscription-");
        self.put_policy(vhost, "edge-downlinks", downlinks, bounds)
            .await
    }

    /// A policy for those of a kind (`queues`, `exchanges`) whose names match.
    pub(crate) async fn put_policy(
        &self,
        vhost: &str,
        name: &str,
        (kind, pattern): (&str, &str),
        definition: Value,
    ) -> Result<()> {
        let policy = json!({"pattern": pattern, "apply-to": kind, "definition": definition});
        let path = format!("policies/{vhost}/{name}");
        self.manage(reqwest::Method::PUT, &path, Some(policy)).await
    }

    pub(crate) async fn delete_policy(&self, vhost: &str, name: &str) -> Result<()> {
        let path = format!("policies/{vhost}/{name}");
        self.management(reqwest::Method::DELETE, &path).await
    }

    /// Removes a virtual host and its content, and closes its connections.
    pub(crate) async fn delete_vhost(&self, vhost: &str) -> Result<()> {
        self.management(reqwest::Method::DELETE, &format!("vhosts/{vhost}"))
            .await
    }

    async fn has_mqtt_listener(&self) -> Result<()> {
        let check = "health/checks/protocol-listener/mqtt%2Fssl";
        self.management(reqwest::Method::GET, check).await
    }

    async fn management(&self, method: reqwest::Method, path: &str) -> Result<()> {
        self.manage(method, path, None).await
    }

    async fn manage(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/api/{path}", self.management_port);
        let mut request = crate::http::client().request(method.clone(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request
            .basic_auth(USER, Some(&self.password))
            .send()
            .await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let action = format!("RabbitMQ: {method} {path}");
        Err(StackError::Refused {
            action,
            status: status.as_u16(),
            body: answer.text().await?,
        })
    }
}

/// The node and its port mapper, in the order in which they stop.
#[derive(Debug)]
pub(crate) struct Node {
    _broker: Server,
    _port_mapper: Server,
    environment: Vec<(&'static str, String)>,
}

impl Node {
    /// Runs `rabbitmqctl` as the node's operator does.
    pub(crate) async fn control(&self, arguments: &[&str]) -> Result<()> {
        let mut command = std::process::Command::new(script("rabbitmqctl")?);
        let port = ports::free()?.to_string();
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .envs(self.environment.iter().cloned())
            .env("RABBITMQ_CTL_ERL_ARGS", ERLANG_ARGUMENTS)
            .env("RABBITMQ_CTL_DIST_PORT_MIN", &port)
            .env("RABBITMQ_CTL_DIST_PORT_MAX", &port);
        let action = format!("rabbitmqctl {}", arguments.join(" "));
        run_to_end(command, &action).await
    }
}

pub(crate) async fn start(
    scratch: &Scratch,
    files: &BrokerFiles,
    dispatcher: &Dispatcher,
    takes_any_size: bool,
) -> Result<(RabbitMq, Node)> {
    let home = scratch.directory("rabbitmq")?;
    let rabbitmq = RabbitMq {
        amqp_port: ports::free()?,
        management_port: ports::free()?,
        mqtt_port: ports::free()?,
        password: clock::random_name::<16>(),
        broker_ca: files.broker_ca.clone(),
        server_certificate: files.server_certificate.clone(),
        server_key: files.server_key.clone(),
    };
    let epmd_port = ports::free()?;
    let port_mapper = start_port_mapper(scratch, epmd_port)?;
    let write = |name: &str, content: &str| {
        let path = home.join(name);
        std::fs::write(&path, content).during(|| format!("writing {}", path.display()))
    };
    let mut configuration = configure(&rabbitmq, files, dispatcher);
    if !takes_any_size {
        configuration.push_str(MESSAGE_LIMIT);
    }
    write(CONFIGURATION_FILE, &configuration)?;
    write(PLUGINS_FILE, PLUGINS)?;
    let environment = environment(&home, &rabbitmq, epmd_port, ports::free()?);
    let mut broker = Server::start(Program {
        name: "RabbitMQ",
        executable: &script("rabbitmq-server")?,
        arguments: Vec::new(),
        environment: environment.clone(),
        stop: StopSignal::Kill,
        user: None,
        log: scratch.path().join("rabbitmq.log"),
    })?;
    broker
        .ready(READY_LIMIT, || async {
            // The AMQP listener opens last. Only our own node knows the management API's password.
            rabbitmq
                .has_mqtt_listener()
                .await
                .map_err(|e| e.to_string())?;
            amqp_handshake(rabbitmq.amqp_port)
                .await
                .map_err(|e| e.to_string())
        })
        .await?;
    let node = Node {
        _broker: broker,
        _port_mapper: port_mapper,
        environment,
    };
    Ok((rabbitmq, node))
}

fn start_port_mapper(scratch: &Scratch, port: u16) -> Result<Server> {
    let port = port.to_string();
    Server::start(Program {
        name: "epmd",
        executable: Path::new("/usr/bin/epmd"),
        arguments: ["-port", &port, "-address", "127.0.0.1"]
            .map(str::to_owned)
            .to_vec(),
        environment: Vec::new(),
        stop: StopSignal::Kill,
        user: None,
        log: scratch.path().join("epmd.log"),
    })
}

fn environment(
    home: &Path,
    rabbitmq: &RabbitMq,
    epmd_port: u16,
    distribution_port: u16,
) -> Vec<(&'static str, String)> {
    let in_home = |name: &str| home.join(name).display().to_string();
    vec![
        ("HOME", home.display().to_string()),
        // Makes the script become the Erlang VM instead of starting it below a shell.
        ("detached", "1".to_owned()),
        ("ERL_EPMD_PORT", epmd_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        // Ignores the host's own settings (/etc/rabbitmq).
        ("RABBITMQ_CONF_ENV_FILE", in_home("no-rabbitmq-env.conf")),
        ("RABBITMQ_NODENAME", "eventify@localhost".to_owned()),
        ("RABBITMQ_NODE_PORT", rabbitmq.amqp_port.to_string()),
        ("RABBITMQ_DIST_PORT", distribution_port.to_string()),
        ("RABBITMQ_MNESIA_BASE", in_home("mnesia")),
        ("RABBITMQ_LOG_BASE", in_home("log")),
        ("RABBITMQ_CONFIG_FILE", in_home(CONFIGURATION_FILE)),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", in_home(PLUGINS_FILE)),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            ERLANG_ARGUMENTS.to_owned(),
        ),
    ]
}

/// Sends AMQP 0-9-1's header and waits for the first frame, `Connection.Start` (type 1, channel 0).
async fn amqp_handshake(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut frame = [0; 3];
    stream.read_exact(&mut frame).await?;
    if frame == [1, 0, 0] {
        Ok(())
    } else {
        Err(std::io::Error::other("the peer is not an AMQP broker"))
    }
}

fn configure(rabbitmq: &RabbitMq, files: &BrokerFiles, dispatcher: &Dispatcher) -> String {
    let RabbitMq {
        amqp_port,
        management_port,
        mqtt_port,
        password,
        ..
    } = rabbitmq;
    let device_ca = files.device_ca.certificate.display();
    let certificate = files.server_certificate.display();
    let key = files.server_key.display();
    let auth = dispatcher.auth_url();
    format!(
        "listeners.tcp.default = 127.0.0.1:{amqp_port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
management_agent.disable_metrics_collector = true
default_user = {USER}
default_pass = {password}

# The AMQP user is internal; RabbitMQ asks for all others over HTTP.
auth_backends.1 = internal
auth_backends.2 = http
auth_http.http_method = post
auth_http.user_path = {auth}/user
auth_http.vhost_path = {auth}/vhost
auth_http.resource_path = {auth}/resource
auth_http.topic_path = {auth}/topic

mqtt.listeners.tcp = none
mqtt.listeners.ssl.default = 127.0.0.1:{mqtt_port}
mqtt.allow_anonymous = false
mqtt.ssl_cert_login = true
mqtt.exchange = amq.topic
ssl_cert_login_from = common_name
ssl_options.cacertfile = {device_ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2

log.console = true
log.console.level = info
log.file = false
"
    )
}

/// One of the server's scripts, in its own `sbin` folder.
fn script(name: &str) -> Result<PathBuf> {
    let installed = std::fs::read_dir(DEBIAN_ROOT)
        .into_iter()
        .flatten()
        .flatten();
    let script = installed
        .map(|entry| entry.path().join("sbin").join(name))
        .find(|p| p.exists());
    script.ok_or_else(|| StackError::Missing {
        missing: format!("RabbitMQ (in {DEBIAN_ROOT})"),
        remedy: "run `make deps`, or install the Debian package `rabbitmq-server`",
    })
}
