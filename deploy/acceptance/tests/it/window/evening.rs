//! What the scenes share: a venue with two gates, tickets, a window at the north gate, and an imager on a
//! serial line.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::TimeDelta;
use eventify_acceptance::{
    clock, wait,
    world::{
        Gate, World,
        claim::Claim,
        customer::{Outcome, Places, Ticket},
        fixture::{Fixture, seat},
        venue_it::VenueIt,
        window::{GateWindow, Glass, Start},
    },
};
use eventify_protocol::{lan::NodeStatus, verdict::Mode};
use eventify_stack::{Card, MessageProxy, us_keyboard::named};
use futures_util::future::try_join_all;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::words::Words;

/// From the cut of the line to the lock: longer than the scenes take that need a young cache.
pub(super) const CACHE_AGE: Duration = Duration::from_secs(120);
/// Fails a test that would wait for ever.
pub(super) const SOON: Duration = Duration::from_secs(60);

/// The same code within this is the same scan to the app, and some more.
const SAME_SCAN: Duration = Duration::from_millis(2_200);

/// So often is a core asked that is too busy to answer.
pub(super) const TRIES: usize = 5;

/// Stores the pictures of the README anew.
const STORE: &str = "EVENTIFY_STORE_PICTURES";
const STORED: [&str; 4] = ["ready-en", "admit-en", "used-en", "degraded-en"];

const CUSTOMERS: usize = 8;
const SEATS_EACH: u32 = 8;

pub(super) struct Evening {
    pub(super) window: GateWindow,
    pub(super) north: Gate,
    pub(super) south: Gate,
    /// Tonight's, at both gates.
    pub(super) fixture: Fixture,
    pub(super) venue_it: VenueIt,
    /// The ids of those who work here, once venue IT has added them.
    pub(super) staff: Vec<String>,
    /// Of a show that starts in five hours, at the north gate too.
    pub(super) too_early: Ticket,
    /// Of a show that only the south gate is open for.
    pub(super) elsewhere: Ticket,
    /// Between the nodes and the broker.
    pub(super) north_proxy: MessageProxy,
    pub(super) south_proxy: MessageProxy,
    pub(super) imager: Imager,
    /// The last code that was scanned, and when.
    last: Option<(String, Instant)>,
    unused: Vec<Ticket>,
    pictures: PathBuf,
    // The servers stop last.
    pub(super) world: World,
}

impl Evening {
    pub(super) async fn begin() -> Result<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let pictures = target.join("../screens/window");
        if pictures.exists() {
            std::fs::remove_dir_all(&pictures)?;
        }
        let claim = Claim::take(&target.join("window"))?;
        let world = World::start(claim).await?;
        let fixture = world.fixture().await?;
        let organiser = world.organiser().await?;
        let later = clock::now() + TimeDelta::hours(5);
        let [later, other] = [
            fixture.another_performance(&organiser, later).await?,
            fixture.another_performance(&organiser, later).await?,
        ];
        let venue_it = world.venue_it(&fixture).await?;
        let age = u64::try_from(CACHE_AGE.as_millis())?;
        venue_it.allow_degraded(age).await?;
        let here = [&fixture, &later];
        let names: (_, &[&str]) = ("North gate", &["Terrace gate"]);
        let north = world.gates_for(&here, 1, names, CACHE_AGE).await?;
        let there = [&fixture, &other];
        let south = world.gate_for(&there, 2, "South gate", CACHE_AGE).await?;
        for show in [&fixture, &later, &other] {
            show.wait_until_on_sale(&world.core.api).await?;
        }
        let buyers = (0..CUSTOMERS).map(|number| {
            let seats =
                (1..=SEATS_EACH).map(|place| seat(u8::try_from(number).unwrap_or(0), place));
            buy(&world, number, &fixture, Places::Seats(seats.collect()))
        });
        let unused: Vec<_> = try_join_all(buyers).await?.into_iter().flatten().collect();
        let too_early = one(buy(&world, 50, &later, Places::Standing(1)).await?)?;
        let elsewhere = one(buy(&world, 51, &other, Places::Standing(1)).await?)?;
        let north_proxy = before(&north, &world).await?;
        let south_proxy = before(&south, &world).await?;
        for gate in [&north, &south] {
            gate.edge.catch_up(SOON).await?;
        }
        let imager = Imager::plugged_in(&world.folder)?;
        let data = world.folder.join("scanner");
        let window = open(&data, &imager).await?;
        Ok(Self {
            window,
            north,
            south,
            fixture,
            venue_it,
            staff: Vec::new(),
            too_early,
            elsewhere,
            north_proxy,
            south_proxy,
            imager,
            last: None,
            unused,
            pictures,
            world,
        })
    }

    /// A ticket that nobody has used.
    pub(super) fn guest(&mut self) -> Result<Ticket> {
        self.unused.pop().context("no unused tickets are left")
    }

    /// A ticket that has come in at the south gate, by the core's word.
    pub(super) async fn guest_inside(&mut self) -> Result<Ticket> {
        let guest = self.guest()?;
        let answer = self.south.scanner.scan(&guest.token).await?;
        if answer.verdict.name() != "Admit" {
            bail!("the south gate said {}", answer.verdict.name());
        }
        // A busy core answers late, and the node decides: then the core has it from the journal.
        let is_told = |status: &NodeStatus| status.journal.unacknowledged == 0;
        let south = &self.south.edge;
        south
            .wait_until("its journal at the core", SOON, is_told)
            .await?;
        self.north.edge.catch_up(SOON).await?;
        Ok(guest)
    }

    /// Keeps what stands on the glass.
    pub(super) async fn keep(&self, name: &str) -> Result<()> {
        let path = self.pictures.join(format!("{name}.png"));
        self.window.keep(&path).await?;
        Ok(())
    }

    /// Scans, and waits for the verdict of this class. A busy core answers late, and then the node decides, which
    /// does not know all that the core does: the code is scanned again.
    pub(super) async fn verdict(&mut self, code: &str, word: &str, class: &str) -> Result<Glass> {
        for _ in 0..TRIES {
            self.scan(code).await?;
            let glass = self.window.any_verdict().await?;
            if glass.word == word {
                ensure!(
                    glass.class.as_deref() == Some(class),
                    "{word} is {:?}",
                    glass.class
                );
                return Ok(glass);
            }
            let by_node = ["This gate decided", "Décidé ici", "Décidé par cette porte"];
            let again = ["Scan again", "Relire"];
            let is_late = by_node.iter().any(|who| glass.text.contains(who))
                || again.contains(&glass.word.as_str());
            ensure!(is_late, "no {word}: {}", glass.text);
            self.north.edge.wait_for_mode(Mode::Online, SOON).await?;
        }
        bail!("the core was late {TRIES} times for {word}")
    }

    pub(super) async fn scan(&mut self, code: &str) -> Result<()> {
        if let Some((last, at)) = self.last.take()
            && last == code
        {
            // The same code sooner is the same scan.
            let is_over = async || Ok((at.elapsed() > SAME_SCAN).then_some(()));
            wait::until("another scan of the same code", SOON, is_over).await?;
        }
        self.window.scan(code).await?;
        self.last = Some((code.to_owned(), clock::instant()));
        Ok(())
    }

    /// Chooses a language at the settings, and comes back.
    pub(super) async fn speak(&self, words: &Words) -> Result<()> {
        self.window.key(named::F10).await?;
        self.window.press(words.name).await?;
        self.window.word(words.settings).await?;
        self.window.dismiss().await?;
        let is_back = |glass: &Glass| glass.word != words.settings;
        self.window.until("the screen of before", is_back).await?;
        Ok(())
    }

    /// Back to the ready screen.
    pub(super) async fn ready(&self) -> Result<()> {
        self.window.dismiss().await?;
        self.window.word("Ready").await?;
        Ok(())
    }

    /// Of the first countdown within these elements.
    async fn seconds_left(&self, within: &str) -> Result<u32> {
        let read =
            format!("return document.querySelector('{within} [role=timer]')?.textContent ?? ''");
        let text = self.window.window().run(&read).await?;
        let text = text.as_str().context("a text")?;
        let words = text.split_whitespace();
        let time = words.into_iter().find_map(|word| word.split_once(':'));
        let (minutes, seconds) = time.with_context(|| format!("no countdown: {text:?}"))?;
        Ok(60 * minutes.parse::<u32>()? + seconds.parse::<u32>()?)
    }

    /// Each second is another one; returns how many there were.
    pub(super) async fn counts_down(&self, within: &str) -> Result<u32> {
        let first = self.seconds_left(within).await?;
        let lower = async || Ok((self.seconds_left(within).await? < first).then_some(()));
        wait::until("the next second", SOON, lower).await?;
        Ok(first)
    }

    /// The north gate has its line again.
    pub(super) async fn online(&self) -> Result<()> {
        self.north.edge.wait_for_mode(Mode::Online, SOON).await?;
        self.window.says("Live: the core decides").await?;
        Ok(())
    }

    /// The north gate's line is cut, and the scanner says so.
    pub(super) async fn cut(&self) -> Result<()> {
        self.north.edge.catch_up(SOON).await?;
        self.north.edge.link.cut();
        self.north.edge.wait_for_mode(Mode::Degraded, SOON).await?;
        self.window.says("On our own: the line is down").await?;
        Ok(())
    }

    pub(super) async fn heal(&self) -> Result<()> {
        self.north.edge.link.heal();
        self.online().await?;
        let glass = self.window.glass().await?;
        ensure!(!glass.text.contains("This gate locks"), "{}", glass.text);
        Ok(())
    }

    /// The venue's wishes for its gates, which the north gate has from then on; what is left out stays.
    pub(super) async fn wish(&self, mut policy: serde_json::Value) -> Result<()> {
        if policy.get("maxCacheAgeMs").is_none() {
            policy["maxCacheAgeMs"] = u64::try_from(CACHE_AGE.as_millis())?.into();
        }
        self.venue_it.set_policy(policy).await?;
        self.north.edge.catch_up(SOON).await?;
        Ok(())
    }

    /// Guests that the north gate's node has let in.
    pub(super) async fn admitted(&self) -> Result<u64> {
        let status = self.north.edge.status().await?;
        Ok(status.gates.iter().map(|gate| gate.admitted).sum())
    }

    /// How long each scene takes stands beside the pictures.
    pub(super) fn took(&self, scene: &str, time: Duration) -> Result<()> {
        std::fs::create_dir_all(&self.pictures)?;
        let path = self.pictures.join("times.txt");
        let mut file = File::options().create(true).append(true).open(path)?;
        Ok(writeln!(file, "{:6.1} s  {scene}", time.as_secs_f64())?)
    }

    pub(super) async fn end(self) -> Result<()> {
        if std::env::var_os(STORE).is_some() {
            let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scanner-app/pictures");
            std::fs::create_dir_all(&stored)?;
            for name in STORED {
                let file = format!("{name}.png");
                std::fs::copy(self.pictures.join(&file), stored.join(&file))?;
            }
        }
        self.window.close().await?;
        self.world.core.stop().await
    }
}

async fn open(data: &Path, imager: &Imager) -> Result<GateWindow> {
    let line = imager.path.to_str().context("the path is not text")?;
    GateWindow::open(Start {
        data,
        language: "en",
        kiosk: false,
        arguments: &["--serial", line],
    })
    .await
}

/// A proxy that holds single messages between a gate's node and the broker.
async fn before(gate: &Gate, world: &World) -> Result<MessageProxy> {
    let proxy = world.message_proxy(&gate.edge.identity()?).await?;
    gate.edge.link.retarget(proxy.address());
    gate.edge.link.reset_connections();
    Ok(proxy)
}

async fn buy(world: &World, number: usize, show: &Fixture, places: Places) -> Result<Vec<Ticket>> {
    let customer = world.customer(number).await?;
    let bought = customer.buy(show, &places, Card::Good).await?;
    let Outcome::Tickets(tickets) = bought else {
        bail!("no tickets: {bought:?}");
    };
    Ok(tickets)
}

fn one(tickets: Vec<Ticket>) -> Result<Ticket> {
    tickets
        .into_iter()
        .next()
        .context("an order without tickets")
}

/// The imager's end of a serial line, which is plugged in by a link, as udev does.
pub(super) struct Imager {
    path: PathBuf,
    line: Option<File>,
}

impl Imager {
    fn plugged_in(folder: &Path) -> Result<Self> {
        let mut imager = Self {
            path: folder.join("imager"),
            line: None,
        };
        imager.plug_in()?;
        Ok(imager)
    }

    /// No other program of ours may hold its end: it would stay plugged in.
    pub(super) fn plug_in(&mut self) -> Result<()> {
        let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&line)?;
        unlockpt(&line)?;
        let name = ptsname(&line, Vec::new())?;
        symlink(name.to_str()?, &self.path)?;
        self.line = Some(File::from(line));
        Ok(())
    }

    pub(super) fn unplug(&mut self) -> Result<()> {
        self.line = None;
        std::fs::remove_file(&self.path)?;
        Ok(())
    }

    pub(super) fn send(&mut self, bytes: &str) -> Result<()> {
        let line = self.line.as_mut().context("it is not plugged in")?;
        Ok(line.write_all(bytes.as_bytes())?)
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}
