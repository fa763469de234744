//! What is read and bound before anybody lives.

use std::sync::Arc;

use tollgate_actors::price_book::PriceBook;
use tollgate_billing::hold::NodeLife;
use tollgate_routing::Directory;
use tollgate_settings::Values;
use tollgate_store::book::Book;
use tollgate_store::nodes::Life;
use tollgate_store::spool::Spool;
use tollgate_store::versions::{self, Versions};

use super::ground::{Ground, NoStart};
use super::layout::{Layout, Media, Network};
use super::{Idle, workers};
use crate::config::Config;

/// File descriptors that are not media's: database, TCP peers, listeners.
const DESCRIPTORS_KEPT: u64 = 25_000;

/// Everything that is read and bound before anybody lives: made outside of any runtime, where waiting is allowed.
pub struct Prepared {
    pub(super) ground: Ground,
    pub(super) life: Life,
    pub(super) network: Network,
    pub(super) values: Values,
    pub(super) directory: Directory,
    pub(super) prices: PriceBook,
    pub(super) book: Book,
    pub(super) spool: Spool,
    pub(super) media: Media,
    pub(super) most_sockets: usize,
    /// Everybody lives on one thread; this tells when it rests.
    pub(super) idle: Option<Idle>,
}

impl Prepared {
    /// Takes the lock, opens the database, reads the snapshots, binds the listeners.
    pub fn new(config: &Config, layout: Layout) -> Result<Prepared, NoStart> {
        let descriptors = rlimit::increase_nofile_limit(1_048_576).unwrap_or(1024);
        let stage = match layout {
            Layout::Threads => None,
            Layout::OneThread(stage) => Some(stage),
        };
        let mut ground = match &stage {
            None => Ground::of_this_machine(config, true)?,
            Some(stage) => Ground::open(config, true, stage.clock.clone(), stage.seed)?,
        };
        let network = Network::open(config, stage.as_ref())?;
        let runtime = ground.runtime.clone();
        let life = runtime.block_on(workers::begin_life(&ground.store, &config.server.data_dir))?;
        let snapshots = &mut ground.snapshots;
        snapshots.host.node = NodeLife { node: life.node, life: life.id };
        snapshots.domains.extend(network.bound.iter().map(|(_, at)| at.ip().to_string()));
        let (values, directory, prices, book) = runtime.block_on(async {
            let seen = versions::read(&snapshots.store).await?;
            let values = snapshots.settings().await?;
            let (directory, version) = snapshots.directory(&values).await?;
            *snapshots.seen.get_mut() = Versions { directory: version, ..seen };
            let prices = snapshots.prices(None).await?;
            let book = Book::open(&snapshots.store).await?;
            Ok::<_, tollgate_store::Error>((values, directory, prices, book))
        })?;
        snapshots.rules.store(Arc::new(snapshots.rules(&values, &prices)));
        let spool = workers::open_spool(&config.server.data_dir, &values, ground.clock.wall())?;
        let kept = DESCRIPTORS_KEPT.min(descriptors / 2);
        let most_sockets = usize::try_from(descriptors - kept).unwrap_or(usize::MAX);
        let media = Media::open(config, most_sockets, &ground.clock, ground.seed, stage.is_some())?;
        let idle = stage.map(|stage| stage.idle);
        Ok(Prepared { ground, life, network, values, directory, prices, book, spool, media, most_sockets, idle })
    }
}
