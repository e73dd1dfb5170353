//! The decisions of `cedar::session`, one table or rule of `SessionMain` each, and that `next_due` hides nothing.
//! Not here: two sessions that talk to each other (`session_pair.rs`).

use cedar::session::{
    AdditionalConnections, Begin, Config, End, HubView, Reason, Role, Session, TIMEOUT_DEFAULT_MS, Turn, View,
};
use proptest::prelude::*;

const START: u64 = 1_000_000;

fn client(max_connection: u32) -> Config {
    let mut config = Config::new(Role::Client);
    config.additional.max_connection = max_connection;
    config
}

fn retry(reason: Reason) -> Option<End> {
    Some(End { reason, is_retry: true, is_final: false })
}

/// The numbers are the C's: the client's exit code is chosen by them.
#[test]
fn reasons_have_the_c_s_numbers() {
    let numbers = [
        (Reason::Disconnected, 3),
        (Reason::UserCancel, 6),
        (Reason::SessionTimeout, 13),
        (Reason::DeviceDriverError, 22),
        (Reason::ServerCantAccept, 105),
        (Reason::AutoDisconnected, 126),
    ];
    for (reason, number) in numbers {
        assert_eq!(reason.code(), number);
    }
}

#[test]
fn a_session_that_is_well_goes_on() {
    let mut session = Session::new(client(1), START);
    let view = View::new(START);
    assert_eq!(session.begin(&view, START), Begin::default());
    assert_eq!(session.end_of_turn(&view, START + u64::from(TIMEOUT_DEFAULT_MS) - 1), Turn::default());
}

#[test]
fn silence_ends_it_at_the_timeout() {
    for timeout_ms in [0, 1, 5_000, u32::MAX] {
        let config = Config { timeout_ms, ..client(1) };
        let last = START + u64::from(timeout_ms.max(1)) - 1;
        let mut session = Session::new(config, START);
        assert_eq!(session.next_due(&View::new(START)), last + 1, "timeout {timeout_ms}");
        assert_eq!(session.end_of_turn(&View::new(START), last).end, None, "timeout {timeout_ms}");
        assert_eq!(session.end_of_turn(&View::new(START), last + 1).end, retry(Reason::SessionTimeout));
    }
}

#[test]
fn sessions_of_the_hub_and_the_process_have_no_time_outs() {
    let internal = Config { is_internal: true, ..Config::new(Role::Server) };
    let in_proc = Config { is_in_proc: true, ..Config::new(Role::Client) };
    for config in [internal, in_proc] {
        let mut session = Session::new(config, START);
        assert_eq!(session.end_of_turn(&View::new(START), START + 1_000_000_000).end, None);
    }
}

#[test]
fn a_person_ends_it_before_anything_else_does() {
    let halted = View { halt: true, timed_out: true, ..View::new(START) };
    for (force_stop, reason) in [(true, Reason::UserCancel), (false, Reason::SessionTimeout)] {
        let mut session = Session::new(client(1), START);
        let end = session.end_of_turn(&View { force_stop, ..halted }, START).end;
        assert_eq!(end, Some(End { reason, is_retry: false, is_final: false }));
    }
    let mut session = Session::new(client(1), START);
    session.fail(Reason::DeviceDriverError);
    let end = session.end_of_turn(&halted, START).end;
    assert_eq!(end.map(|end| end.reason), Some(Reason::DeviceDriverError), "the C keeps the reason of a failure");
}

#[test]
fn the_policy_s_time_is_over_for_good() {
    let config = Config { auto_disconnect_s: 7, ..client(1) };
    let heard = |now| View { halt: true, force_stop: true, ..View::new(now) };
    let mut session = Session::new(config, START);
    assert_eq!(session.next_due(&View::new(START + 6_999)), START + 7_000);
    let end = End { reason: Reason::AutoDisconnected, is_retry: false, is_final: true };
    assert_eq!(session.end_of_turn(&View::new(START + 6_999), START + 6_999).end, None);
    assert_eq!(session.end_of_turn(&heard(START + 7_000), START + 7_000).end, Some(end));
    let mut server = Session::new(Config { role: Role::Server, ..config }, START);
    assert_eq!(server.end_of_turn(&View::new(START + 7_000), START + 7_000).end, None, "the client keeps that rule");
}

#[test]
fn what_is_broken_ends_it_with_its_reason() {
    let good = View::new(START);
    let open = HubView { is_closed: false, last_increment_traffic: START };
    let rudp = AdditionalConnections { is_rudp: true, ..client(1).additional };
    let cases = [
        ("udp", client(1), View { is_udp_broken: true, ..good }, retry(Reason::Disconnected)),
        ("tube", client(1), View { is_tube_broken: true, ..good }, retry(Reason::Disconnected)),
        ("other thread", client(1), View { timed_out: true, ..good }, retry(Reason::SessionTimeout)),
        ("tcp lost one", client(1), View { disconnected: 1, ..good }, None),
        (
            "r-udp lost one",
            Config { additional: rudp, ..client(1) },
            View { disconnected: 1, ..good },
            retry(Reason::Disconnected),
        ),
        (
            "r-udp that recovers",
            Config { additional: AdditionalConnections { has_udp_recovery: true, ..rudp }, ..client(1) },
            View { disconnected: 1, ..good },
            None,
        ),
        (
            "closed hub",
            Config::new(Role::Server),
            View { hub: Some(HubView { is_closed: true, ..open }), ..good },
            retry(Reason::ServerCantAccept),
        ),
        (
            "closed hub's own",
            Config { is_internal: true, ..Config::new(Role::Server) },
            View { hub: Some(HubView { is_closed: true, ..open }), ..good },
            None,
        ),
        ("no connection", client(1), View { connections: 0, connections_wanted: 0, ..good }, None),
        (
            "no connection, none may be made",
            client(1),
            View { connections: 0, connections_wanted: 0, is_reconnect_disabled: true, ..good },
            retry(Reason::SessionTimeout),
        ),
    ];
    for (what, config, view, expected) in cases {
        let mut session = Session::new(config, START);
        assert_eq!(session.end_of_turn(&view, START).end, expected, "{what}");
    }
}

#[test]
fn the_last_of_several_failures_is_told() {
    let mut session = Session::new(client(1), START);
    session.fail(Reason::DeviceDriverError);
    let silent = View { is_udp_broken: true, ..View::new(START) };
    assert_eq!(session.end_of_turn(&silent, START).end, retry(Reason::Disconnected));
    let end = session.end_of_turn(&View::new(START), START + u64::from(TIMEOUT_DEFAULT_MS)).end;
    assert_eq!(end, retry(Reason::SessionTimeout));
}

#[test]
fn a_client_adds_connections_one_a_second_until_it_has_them() {
    let mut session = Session::new(client(3), START);
    let mut view = View { next_connection_time: session.next_connection_time(START), ..View::new(START) };
    assert_eq!(view.next_connection_time, START + 1000);
    assert_eq!(session.next_due(&view), START + 1000);
    assert!(!session.begin(&view, START + 999).add_connection);
    assert!(session.begin(&view, START + 1000).add_connection);
    view.connections_wanted = 2;
    view.next_connection_time = session.next_connection_time(START + 1000);
    assert!(!session.wants_connection(&view, START + 1999));
    assert!(session.wants_connection(&view, START + 2000));
    view.connections_wanted = 3;
    assert!(!session.wants_connection(&view, START + 9000));
}

#[test]
fn who_adds_no_connections() {
    let due = View { next_connection_time: 0, ..View::new(START) };
    let rudp = |has_udp_recovery| {
        let mut config = client(8);
        config.additional = AdditionalConnections { is_rudp: true, has_udp_recovery, ..config.additional };
        config
    };
    let cases = [
        ("a client", client(8), due, true),
        ("a server", Config { role: Role::Server, ..client(8) }, due, false),
        ("over UDP", Config { is_tcp: false, ..client(8) }, due, false),
        ("who was told to end", client(8), View { halt: true, ..due }, false),
        ("where it is forbidden", client(8), View { is_reconnect_disabled: true, ..due }, false),
        ("over R-UDP", rudp(false), due, false),
        ("over R-UDP that recovers", rudp(true), View { additional_failures: 16, ..due }, true),
        ("over R-UDP that failed too often", rudp(true), View { additional_failures: 17, ..due }, false),
    ];
    for (who, config, view, expected) in cases {
        assert_eq!(Session::new(config, START).wants_connection(&view, START), expected, "{who}");
    }
}

#[test]
fn a_client_that_cannot_get_its_connections_gives_up() {
    let view = |now| View { connections: 2, last_try_add_connect_time: START, ..View::new(now) };
    let patience = 2 * 1000 + 30_000;
    let end = |config: Config, ms: u64| Session::new(config, START).end_of_turn(&view(START + ms), START + ms).end;
    assert_eq!(end(client(3), patience - 1), None);
    assert_eq!(end(client(3), patience), retry(Reason::SessionTimeout));
    assert_eq!(end(client(2), patience), None, "it has all");
    let mut replaced = client(3);
    replaced.additional.is_for_life = false;
    assert_eq!(end(replaced, patience), None, "its connections come and go");
    let mut rudp = client(3);
    rudp.additional = AdditionalConnections { is_rudp: true, has_udp_recovery: true, ..rudp.additional };
    assert_eq!(end(rudp, patience), None, "one is enough");
}

#[test]
fn a_server_reports_and_counts() {
    let mut server = Session::new(Config::new(Role::Server), START);
    let hub = HubView { is_closed: false, last_increment_traffic: START + 500 };
    let view = |now| View { hub: Some(hub), count_login_time: START + 30_000, ..View::new(now) };
    let turn = |server: &mut Session, ms| server.end_of_turn(&view(START + ms), START + ms);
    assert_eq!(turn(&mut server, 9_999), Turn::default());
    assert_eq!(turn(&mut server, 10_000), Turn { report_user_traffic: true, ..Turn::default() });
    assert_eq!(turn(&mut server, 10_500), Turn { report_hub_traffic: true, ..Turn::default() });
    let all = Turn { count_login: true, report_user_traffic: true, report_hub_traffic: true, end: None };
    assert_eq!(turn(&mut server, 30_000), all);

    assert!(!server.begin(&view(START), START).note_hub_use, "nothing has passed");
    server.note_frames();
    assert!(!server.begin(&view(START), START + 999).note_hub_use, "once a second");
    assert!(server.begin(&view(START), START + 1000).note_hub_use);
    assert!(!server.begin(&view(START), START + 2000).note_hub_use);
}

fn any_config() -> impl Strategy<Value = Config> {
    (any::<[bool; 7]>(), 0..40_000_u32, 0..20_u32, 0..4_u32, 0..3_u32).prop_map(
        |([server, internal, in_proc, tcp, life, rudp, recovery], timeout_ms, auto, max_connection, interval_s)| {
            Config {
                role: if server { Role::Server } else { Role::Client },
                timeout_ms,
                is_internal: internal,
                is_in_proc: in_proc,
                is_tcp: tcp,
                auto_disconnect_s: auto,
                additional: AdditionalConnections {
                    max_connection,
                    interval_s,
                    is_for_life: life,
                    is_rudp: rudp,
                    has_udp_recovery: recovery,
                },
            }
        },
    )
}

/// A view in which nothing that the clock does not do has happened.
fn any_quiet_view() -> impl Strategy<Value = View> {
    let times = (0..5_000_u64, 0..5_000_u64, 0..5_000_u64, proptest::option::of(0..12_000_u64), 0..40_000_u64);
    (times, 1..4_u32, 1..4_u32, any::<bool>()).prop_map(
        |((heard, next, tried, hub, login), connections, connections_wanted, is_reconnect_disabled)| View {
            last_comm_time: START + heard,
            next_connection_time: START + next,
            last_try_add_connect_time: START + tried,
            hub: hub.map(|ms| HubView { is_closed: false, last_increment_traffic: START + ms }),
            count_login_time: if login < 1000 { 0 } else { START + login },
            connections,
            connections_wanted,
            is_reconnect_disabled,
            ..View::new(START)
        },
    )
}

proptest! {
    /// Who sleeps until `next_due` misses nothing, and what was promised is there then.
    #[test]
    fn nothing_happens_before_it_is_due(config in any_config(), view in any_quiet_view(), frames: bool, share in 0..100_u64) {
        let mut session = Session::new(config, START);
        session.begin(&view, START);
        if frames {
            session.note_frames();
        }
        let due = session.next_due(&view);
        let mut ask = |now| (session.begin(&view, now), session.end_of_turn(&view, now));
        // Two hours stand for ever.
        let end = due.min(START + 7_200_000);
        if due > START {
            let before = START + (end - 1 - START) * share / 100;
            prop_assert_eq!(ask(before), Default::default(), "{} ms, due at {} ms", before - START, end - START);
            prop_assert_eq!(ask(end - 1), Default::default(), "due at {} ms", end - START);
        }
        if due < START + 7_200_000 {
            prop_assert_ne!(ask(due.max(START)), Default::default(), "nothing is due at {} ms", due.saturating_sub(START));
        }
    }
}
