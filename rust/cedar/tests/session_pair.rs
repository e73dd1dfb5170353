//! A client's session against a server's, in memory and under simulated time: over a network that is good, loses, is slow,
//! dies, and comes back. Every frame is accounted for.
//!
//! Each test runs many seeds; a failure prints its seed, and `CUTOVER_TEST_SEED=N cargo test -p cedar --test session_pair`
//! runs that one again, exactly. Not here: the single decisions (`session.rs`).

mod session_world;

use cedar::session::{Reason, TIMEOUT_DEFAULT_MS};
use session_world::{Network, Random, World};

const SEEDS: u64 = 20;
const MINUTE: u64 = 60_000;

/// Runs a scenario for each seed.
fn for_each_seed(scenario: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let chosen = std::env::var("CUTOVER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = chosen.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        if std::panic::catch_unwind(|| scenario(seed)).is_err() {
            panic!("failed with CUTOVER_TEST_SEED={seed}");
        }
    }
}

/// Every frame that was offered has become one of three things.
fn assert_accounted(world: &World) {
    for (direction, account) in ["up", "down"].into_iter().zip(world.accounts) {
        assert_eq!(account.offered, account.delivered + account.dropped + account.cut, "{direction}: {account:?}");
    }
}

fn assert_no_loss(world: &World, frames: u64) {
    for account in world.accounts {
        assert_eq!((account.offered, account.delivered), (frames, frames), "{account:?}");
    }
}

#[test]
fn a_good_network_loses_nothing_and_both_ends_count_the_same() {
    for_each_seed(|seed| {
        for (connections, half_duplex) in [(1, false), (2, true), (8, false), (8, true)] {
            let mut world = World::new(seed, Network::GOOD, connections, half_duplex);
            world.run_until(world.now + 12_000);
            assert_eq!(world.connections(), connections as usize);
            world.talk(400, 5_000);
            world.run_until(world.now + 10_000);
            assert_eq!(world.ended(), [None; 2]);
            assert_no_loss(&world, 400);
            let [client, server] = world.traffic();
            assert_eq!(client, server, "a server counts as its client sees it");
            assert_eq!(client.send.frames() + client.recv.frames(), 800);
            assert_eq!(client.send.broadcast_count, 80);
        }
    });
}

/// Keep-alives alone hold a session, and little more than they wake it.
#[test]
fn an_idle_session_stays_for_an_hour_and_sleeps() {
    for_each_seed(|seed| {
        let mut world = World::new(seed, Network::GOOD, 4, false);
        world.run_until(world.now + 60 * MINUTE);
        assert_eq!((world.ended(), world.connections()), ([None; 2], 4));
        let keep_alives: u64 = world.keep_alives.iter().sum();
        // One in 6 to 15 s on each connection, both ways.
        assert!((4 * 2 * 240..=4 * 2 * 601).contains(&keep_alives), "{keep_alives}");
        // Both ends have a turn when one is sent, when one comes, and when the server reports, every 10 s.
        let [client, _] = world.wake_ups();
        assert!(client <= 2 * keep_alives + 360 + 40, "{client} turns for {keep_alives} keep-alives");
    });
}

#[test]
fn a_network_that_loses_delays_and_loses_nothing_for_good() {
    for_each_seed(|seed| {
        let network = Network { loss_per_mille: 50, latency_ms: 40, ..Network::GOOD };
        let mut world = World::new(seed, network, 1, false);
        world.talk(500, 20_000);
        world.run_until(world.now + 2 * MINUTE);
        assert_eq!(world.ended(), [None; 2]);
        assert_no_loss(&world, 500);
    });
}

/// A connection of a few kilobytes a second: what does not fit in the queues is dropped and counted.
#[test]
fn a_slow_network_drops_what_the_queues_do_not_hold() {
    for_each_seed(|seed| {
        let network = Network { window: 20_000, latency_ms: 200, ..Network::GOOD };
        let mut world = World::new(seed, network, 1, false);
        world.talk(8_000, 10_000);
        world.run_until(world.now + 10 * MINUTE);
        assert_eq!(world.ended(), [None; 2]);
        assert_accounted(&world);
        let [up, down] = world.accounts;
        assert!(up.dropped > 0 && down.dropped > 0, "{up:?} {down:?}");
        assert_eq!((up.cut, down.cut), (0, 0));
    });
}

/// One of several connections is reset now and then: another takes its place, and the session goes on.
#[test]
fn connections_that_die_are_replaced() {
    for_each_seed(|seed| {
        let network = Network { reset_per_million: 60, ..Network::GOOD };
        let mut world = World::new(seed, network, 8, false);
        world.talk(3_000, 2 * MINUTE);
        world.run_until(world.now + 3 * MINUTE);
        world.network.reset_per_million = 0;
        world.run_until(world.now + 20_000);
        assert_eq!(world.ended(), [None; 2]);
        assert_eq!(world.connections(), 8);
        world.settle();
        assert_accounted(&world);
        assert!(world.accounts.iter().all(|account| account.delivered > 2_500), "{:?}", world.accounts);
    });
}

/// Half-open in both directions, idle and busy: both ends notice, and none before its time.
#[test]
fn a_network_that_dies_ends_both_ends_by_time_out() {
    for_each_seed(|seed| {
        let mut random = Random(seed);
        let (connections, is_busy) = (1 + random.below(4) as u32, random.below(2) == 0);
        let mut world = World::new(seed, Network::GOOD, connections, false);
        world.run_until(world.now + 20_000);
        let death = world.now;
        world.network.outage = Some((death, 60 * MINUTE));
        if is_busy {
            world.talk(300, 10_000);
        }
        world.run_until(death + u64::from(TIMEOUT_DEFAULT_MS) - 15_000);
        assert_eq!(world.ended(), [None; 2], "nobody has waited long enough");
        world.run_until(death + 3 * MINUTE);
        for end in world.ended() {
            let end = end.expect("it has ended");
            assert_eq!((end.reason, end.is_retry, end.is_final), (Reason::SessionTimeout, true, false));
        }
        world.settle();
        assert_accounted(&world);
    });
}

/// After the outage the client connects anew, and frames pass again.
#[test]
fn a_session_comes_back() {
    for_each_seed(|seed| {
        let mut world = World::new(seed, Network::GOOD, 2, false);
        world.talk(200, 5_000);
        world.run_until(world.now + 10_000);
        let outage = world.now;
        world.network.outage = Some((outage, 2 * MINUTE));
        world.talk(200, 5_000);
        world.run_until(outage + 2 * MINUTE);
        assert!(world.ended().iter().all(Option::is_some), "{:?}", world.ended());
        world.settle();
        world.network.outage = None;
        world.reconnect();
        let before = world.accounts.map(|account| account.delivered);
        world.talk(200, 5_000);
        world.run_until(world.now + 10_000);
        world.settle();
        assert_eq!(world.accounts.map(|account| account.delivered), before.map(|delivered| delivered + 200));
        assert_accounted(&world);
    });
}

/// A short outage costs nothing: TCP brings everything, and the session stays.
#[test]
fn a_short_outage_is_outlived() {
    for_each_seed(|seed| {
        let mut world = World::new(seed, Network::GOOD, 2, false);
        world.run_until(world.now + 5_000);
        world.network.outage = Some((world.now, 8_000));
        world.talk(200, 4_000);
        world.run_until(world.now + 30_000);
        assert_eq!(world.ended(), [None; 2]);
        assert_no_loss(&world, 200);
    });
}

/// The same seed is the same run, to the last counter.
#[test]
fn a_seed_replays_exactly() {
    for_each_seed(|seed| {
        let run = || {
            let network = Network { loss_per_mille: 80, reset_per_million: 300, ..Network::GOOD };
            let mut world = World::new(seed, network, 4, true);
            world.talk(500, 30_000);
            world.run_until(world.now + MINUTE);
            world.settle();
            (world.accounts, world.keep_alives, world.wake_ups(), world.traffic(), world.ended())
        };
        assert_eq!(run(), run());
    });
}
