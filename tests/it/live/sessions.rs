//! Sessions of the simulated broker in the real program, which is killed in between.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::json;

use super::{ADMIN, Live, until};
use tradebot::backtest::run_recorded;
use tradebot::data::load;
use tradebot::session::journal::read;
use tradebot::session::replay::replay;

#[test]
fn a_core_killed_again_and_again_plays_its_session_to_the_end_with_the_orders_of_its_backtest() {
    let mut live = Live::registered();
    let mut admin = live.logged_in(ADMIN);
    let version = admin.get("/api/v1/settings").json()["version"].clone();
    let values = json!({ "SIM_DATA": "generated_minutes", "SIM_SPEED": 3_000 });
    let put = admin.json("PUT", "/api/v1/settings", &json!({ "version": version, "values": values }));
    assert_eq!(put.status, 200, "{}", put.text());
    let reply = admin.json("POST", "/api/v1/control/start", &json!({ "mode": "paper" }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let session = reply.json()["session"].as_str().unwrap().to_string();
    // Moments without a pattern; where in the day they fall depends on the machine, what comes out does not.
    for pause in [37, 911, 3, 1_403, 251] {
        std::thread::sleep(Duration::from_millis(pause));
        live.kill("core");
        let (_, folder) = live.ended();
        live = Live::start_on(folder, &[]);
    }
    until("the end of the session", || {
        let phase = live.client().get("/api/v1/phase").json();
        (phase["bot_state"] == "idle").then_some(())
    });
    let folder = live.data().join("output/ACME_US_SIM_BOT1/sessions").join(session);
    until("its summary", || folder.join("session.json").exists().then_some(()));
    let journal = folder.join("journal");
    let replayed = replay(&journal).unwrap();
    assert_eq!(replayed.divergence, None);
    let (plan, _, _) = read(&journal).unwrap().beginning(&journal).unwrap();
    let market = load(&plan.spec.data).unwrap();
    let (config, strategies) = (plan.spec.config(&market).unwrap(), plan.spec.build_strategies().unwrap());
    let day = market.days.len() - 1;
    let (_, stream) = run_recorded(&market, &config, strategies, day..day + 1, &AtomicBool::new(false)).unwrap();
    assert!(!replayed.orders.is_empty());
    assert_eq!(replayed.orders, stream.lines());
    let status = live.logged_in(ADMIN).get("/api/v1/status").json();
    assert!(status["trades"]["cumulative_pnl"].is_number(), "{status}");
}
