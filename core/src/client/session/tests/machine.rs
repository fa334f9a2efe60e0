//! The whole machine, input by input.

use super::Script;

fn play(script: &str) -> String {
    Script::new("h1,h2:7").play(script)
}

#[test]
fn a_new_session_sends_what_waited_behind_its_handshake() {
    insta::assert_snapshot!(play(
        "
        0 when
        0 submit 1 getData /a
        0 auth 2 joe:pw
        0 timeout
        # Half of 6000: two hosts share the timeout while connecting.
        0 when
        100 connected
        100 when
        # Credentials go first, then requests in their order.
        200 session 7 4000
        200 submit 3 setData /a
        300 reply -4 0 0
        300 reply 1 10 0 data=hello
        300 reply 2 11 0 stat
        # A refusal is definite, and carries the zxid that it cost.
        400 submit 4 setData /b
        400 reply 3 12 -101
        400 submit 5 setData /c
        400 reply 4 13 -77
    "
    ));
}

#[test]
fn what_was_sent_may_have_happened_and_what_was_not_sent_has_not() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        10 submit 1 setData /a
        10 submit 2 getData /a
        10 reply 1 20 0 stat
        20 submit 3 setData /a
        30 lost
        # While waiting and while connecting, requests queue; a failed attempt fails them.
        30 submit 4 setData /a
        30 when
        2000 timeout
        2000 submit 5 setData /a
        2100 lost
        # An old connection's last words mean nothing.
        2100 submit 6 setData /a
        4000 timeout
        4000 stale
        # The same session is asked for with its password and what was seen; xids go on.
        4000 connected
        4010 session 7 6000
    "
    ));
}

#[test]
fn pings_keep_an_idle_session_and_silence_ends_a_connection() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        # Two thirds are 4000, half of that 2000, a second early is 1001 at least.
        0 when
        1000 timeout
        1001 timeout
        1001 when
        1100 reply -2 5 0
        # A request is as good as a ping.
        1200 submit 1 getData /a
        2100 timeout
        2201 timeout
        3202 timeout
        4203 timeout
        # Nothing heard since 1100: another server is tried at 5100.
        5099 timeout
        5099 when
        5100 timeout
    "
    ));
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        2999 timeout
        3000 timeout
        4000 timeout
        5000 connected
        # The handshake has its own time.
        7999 timeout
        8000 timeout
        # The host list is gone round.
        9000 timeout
    "
    ));
}

#[test]
fn a_session_expires_by_the_servers_word() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        0 submit 1 exists /a watch
        0 reply 1 5 -101
        10 lost
        10 submit 2 getData /a
        10 auth 9 joe:pw
        1500 timeout
        1500 connected
        1510 session 0 0
        1510 submit 3 getData /a
        1510 when
        1510 timeout
        1510 close
    "
    ));
}

#[test]
fn a_session_expires_by_the_clients_own_clock_when_nobody_is_heard() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        100 lost
        1100 timeout
        1200 lost
        2200 timeout
        3000 lost
        # Four thirds of 6000 after the handshake: no server can know the session any more.
        7000 timeout
        7000 when
        7900 submit 1 setData /a
        8000 timeout
    "
    ));
}

#[test]
fn a_session_that_never_was_does_not_expire() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        100 lost
        60000 timeout
        60000 when
        60000 connected
        60000 session 7 6000
    "
    ));
}

#[test]
fn watches_are_registered_by_answers_and_spent_by_events() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        # exists watches a missing node; getData does not.
        1 submit 1 exists /missing watch
        1 submit 2 getData /gone watch
        1 submit 3 getData /a watch
        1 submit 4 getChildren /a watch
        1 submit 5 exists /unwatched
        # An event before the answer finds no watch.
        1 event changed /a 4
        1 reply 1 5 -101
        1 reply 2 5 -101
        1 reply 3 5 0 data=x
        1 reply 4 5 0 paths=b
        1 reply 5 5 0 stat
        2 event created /missing 6
        2 event created /missing 6
        2 event created /gone 6
        2 event changed /a 7
        2 event changed /a 7
        2 event children /a 8
        2 event children /a 8
        2 event deleted /unwatched 9
        # A delete spends data and child watches with one event.
        3 submit 6 exists /a watch
        3 submit 7 getChildren /a watch
        3 reply 6 9 0 stat
        3 reply 7 9 0 paths=b
        3 event deleted /a 10
        3 event children /a 11
    "
    ));
}

#[test]
fn persistent_watches_stay_until_they_are_removed() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 submit 1 addWatch /p 0
        1 submit 2 addWatch /r 1
        1 submit 3 addWatch /bad 7
        1 reply 1 5 0 added
        1 reply 2 5 0 added
        1 reply 3 5 -5
        2 event children /p 6
        2 event changed /p 7
        2 event changed /p/below 7
        2 event created /r/deep/below 8
        2 event deleted /r 9
        2 event changed /rr 9
        # Recursive watches have no children events.
        2 event children /r 9
        # A removal that was refused changes nothing.
        3 submit 4 removeWatches /p 4
        3 submit 5 removeWatches /r 5
        3 reply 4 9 -121
        3 reply 5 9 0
        4 event changed /p 10
        4 event changed /r 10
    "
    ));
}

#[test]
fn watches_are_registered_again_before_anything_else_is_asked() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 auth 1 joe:pw
        1 submit 2 exists /missing watch
        1 submit 3 getData /a watch
        1 submit 4 getChildren /c watch
        1 reply -4 0 0
        1 reply 1 40 -101
        1 reply 2 41 0 data=x
        1 reply 3 42 0 paths=b
        # Neither pings nor events move what was seen.
        2 reply -2 99 0
        2 event children /elsewhere 98
        10 lost
        10 submit 5 getData /late
        1500 timeout
        1500 connected
        1500 session 7 6000
        # Replayed events come before the answer to setWatches, with zxid -1.
        1501 event changed /a -1
        1501 reply -8 50 0
        1501 reply -4 0 0
        1501 reply 4 50 0 data=y
        # With a persistent watch it takes setWatches2.
        1502 submit 6 addWatch /p 1
        1502 reply 5 51 0 added
        1503 lost
        3000 timeout
        3000 connected
        3000 session 7 6000
    "
    ));
}

#[test]
fn a_reply_out_of_order_or_undecodable_costs_the_connection() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 submit 1 setData /a
        1 submit 2 setData /a
        1 reply 2 5 0 stat
        1500 timeout
        1500 connected
        1500 session 7 6000
        1501 submit 3 setData /a
        # It says success, but which success nobody can tell.
        1501 reply 3 6 0 garbage
        3000 timeout
        3000 connected
        3000 session 7 6000
        3001 reply 9 6 0
    "
    ));
}

#[test]
fn refused_credentials_end_the_session() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 auth 1 joe:pw
        1 auth 2 ann:pw
        1 submit 3 setData /a
        2 reply -4 0 0
        2 reply -4 0 -115
        3 submit 4 getData /a
        3 auth 5 joe:pw
        3 lost
    "
    ));
}

#[test]
fn credentials_are_proved_on_every_connection_and_told_once() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 auth 1 joe:pw
        # The answer is lost: the identity is proved on the next connection, and told then.
        2 lost
        1500 timeout
        1500 connected
        1500 session 7 6000
        1501 reply -4 0 0
        1502 lost
        3000 timeout
        3000 connected
        3000 session 7 6000
        3001 reply -4 0 0
    "
    ));
}

#[test]
fn closing_answers_what_came_before_and_refuses_what_comes_after() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 submit 1 setData /a
        1 close
        1 close
        1 submit 2 setData /a
        2 reply 1 5 0 stat
        2 reply 2 6 0
        3 lost
        3 when
    "
    ));
}

#[test]
fn a_connection_lost_while_closing_is_not_sought_again() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 submit 1 setData /a
        1 close
        2 lost
        2 when
    "
    ));
}

#[test]
fn closing_without_a_connection_is_immediate() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 submit 1 setData /a
        1 close
        2 connected
    "
    ));
}

#[test]
fn requests_that_the_session_makes_itself_are_not_submitted() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 submit 1 ping
        1 submit 2 close
    "
    ));
}

#[test]
fn a_session_seen_by_read_only_servers_alone_is_asked_for_anew() {
    insta::assert_snapshot!(play(
        "
        0 timeout
        0 connected
        0 session 7 6000 read-only
        1 lost
        1500 timeout
        1500 connected
        1500 session 8 6000
        1501 lost
        3000 timeout
        3000 connected
        3000 session 8 6000 read-only
    "
    ));
}

#[test]
fn a_chroot_is_put_before_paths_and_taken_off_again() {
    insta::assert_snapshot!(Script::new("[::1]:99/app").play(
        "
        0 timeout
        0 connected
        0 session 7 6000
        1 submit 1 create /n
        1 submit 2 getChildren / watch
        1 submit 3 multi /m
        1 submit 4 sync /n
        1 submit 5 getEphemerals /e
        1 submit 6 getData /zookeeper/config watch
        2 reply 1 5 0 path=/app/n
        2 reply 2 5 0 paths=n
        2 reply 3 6 0 created=/app/m
        2 reply 4 6 0 path=/app/n
        2 reply 5 6 0 paths=/app/e1
        2 reply 6 6 0 data=x
        3 event children /app 7
        3 event children /app 7
        3 event changed /zookeeper/config 8
        # What lies beside the chroot is nobody's.
        3 event children /apple 9
        4 submit 7 exists /n watch
        4 reply 7 9 0 stat
        5 lost
        2000 timeout
        2000 connected
        2000 session 7 6000
    "
    ));
}
