//! A second implementation of the fill rules, slow and plain, to compare the engine with.
//!
//! It was written from the contract of the simulated venue alone, without looking at the engine: a mistake would
//! have to be made twice to go unnoticed. It knows one strategy (`orders`: lines that submit and cancel), a
//! margin account with cash enough, and no borrow fees or interest. [`simulator::run`] finds the next thing that
//! happens by looking at everything there is, lets it happen, and looks again.
//!
//! | file | content |
//! | --- | --- |
//! | `case` | what goes in (bars, sessions, order lines, rules) and what comes out |
//! | `path` | the path of a price through one bar |
//! | `costs` | commission and slippage |
//! | `simulator` | the simulator: events (`mod`), where orders meet prices (`meeting`), groups and brackets (`family`) |
//! | `compare` | the differences between two outcomes |
//! | `table` | cases worked out by hand |
//! | `generate` | random cases |
//! | `properties` | what must hold for every random case |
//! | `adapter` | the engine run on a case |
//! | `agreement` | the engine agrees with the plain simulator |
//!
//! Where the contract leaves a choice open, this is the reading taken here.
//!
//! Time and arrival
//!
//! | rule | reading |
//! | --- | --- |
//! | what comes first at one instant | cancels that arrive; fills on bars that started earlier, their closes included; fills at the session's close; expiry; lines act; market orders under `close` and `quote`; fills at the opens of bars that start now |
//! | a cancel at the instant of a fill wins | also over a fill at a bar's close, if it was decided earlier and arrives at that instant; a cancel decided at a bar's end without latency comes after the fills at that close, but before those at the next open, and before a `close`/`quote` fill of the same decision instant |
//! | instant of a position | `start + floor(x / 3 * (end - start))`, never before the order's own arrival |
//! | ties | at one instant (nanosecond): earlier in the market, then number, over all symbols. A child is in the market since the later of its own arrival and its parent's first fill |
//! | latency ignored by `next_open`, `close`, `quote` | for type `market` only, not for market-on-open and market-on-close; a child keeps its own latency even if its market parent fills before it has arrived, and then meets the path at its arrival |
//! | end of data | the end of the last bar of the run. Sessions whose close comes later do not close: nothing expires or fills there. All open orders, held children included, end as `Canceled`, end of data |
//! | lines after the last bar's end | never act and are no orders |
//!
//! Prices
//!
//! | rule | reading |
//! | --- | --- |
//! | limit strictly beyond | fills where the path passes the limit, at the limit; a path that touches and turns does not count. ioc, fok, opg and cls need a price strictly beyond at their instant |
//! | order met at its own price | the price is exactly the level, and an order that starts there (child, limit of a stop-limit) sees exactly that price |
//! | stop-limit | becomes a limit at the point where the stop is met: fills there at that price if it meets the limit; never slips |
//! | child without a running bar | its parent filled at a `close`/`quote` decision or a session's close: it waits for the next bar and trails from that bar's open |
//! | market child | under `next_open`: the first open at or after the parent's fill; under `close` and `quote`: on the path at the parent's fill, not at an older close |
//! | trailing stop under `quote` | starts from the path's price at arrival on trade bars; a bar that starts at or after the arrival is tested, the first one included; it fills at the end of the bar; the comparison is `<=` / `>=` |
//! | `close`/`quote` with an old last bar | the last ended bar of the symbol counts, even of an earlier session |
//! | pessimistic, optimistic | per symbol at the start of each bar: the bar is run both ways up to its close (fills at the close on the path included, market-on-close not), other symbols as under `path` where not yet chosen |
//!
//! Time in force
//!
//! | rule | reading |
//! | --- | --- |
//! | session of a day order | the first that closes after the decision, also for a child that is still held, and for an order still on its way: it expires there |
//! | market-on-open, market-on-close, opg, cls | the type or `opg`/`cls` alone decides when; `day` on them never expires. They go to the first session opening (closing) at or after their arrival in which the symbol has a bar; a close that is known when they are decided is over, as for day orders |
//! | `market` or `limit` with opg, cls | as market-on-open, market-on-close, limit-on-open, limit-on-close under every fill rule; under `quote` they fill at trade prices |
//! | rest of a capped opening or closing fill | `Canceled`: these orders have one instant |
//! | ioc and fok while no bar runs | wait for the next bar of the symbol, over the session's close if need be |
//! | fok under `participation` | all that is open of it, or nothing |
//! | ioc, fok, opg or cls on a stop type; opg on market-on-close; cls on market-on-open | `Rejected` |
//! | fractional quantity without FRACTIONAL, quantity not positive, unknown parent | `Rejected` |
//!
//! Volume cap
//!
//! | rule | reading |
//! | --- | --- |
//! | shares left of a bar | `floor(share x volume) - taken`; with FRACTIONAL without the floor |
//! | nothing left | as a partial fill of zero: ioc, fok, opg, cls end; a market order or triggered stop goes on at the next bar's open, a limit meets the next bar's path |
//! | `close` and `quote` fills | count against the volume of the bar whose close they take; the rest goes on at the next bar's open, at the trade price |
//! | trailing stop under `quote` | counts against the bar that it is tested in |
//! | quantity below 1e-9 | is none |
//!
//! Groups and brackets
//!
//! | rule | reading |
//! | --- | --- |
//! | who is reduced | every member that is submitted and not ended, on its way or held or working, whatever its side or symbol; later members start unreduced |
//! | reduced to nothing | `Canceled`, keeping what it had filled |
//! | live quantity of a child | min(own, parent's filled) - taken by its group - filled |
//! | nothing live of it | the child sleeps; the parent's next fill starts it afresh (trail included) at that point, but a triggered stop stays triggered and fills there |
//! | some of it live | the parent's next fill only adds quantity |
//! | parent ended with a part filled | a child's total becomes min(own, parent's filled); if that is done it ends: `Filled`, or `Canceled` if its group took some |
//! | parent cancelled by a line after a part filled | its children without a fill are cancelled too (the contract's sentence has no exception); other ends of a part-filled parent leave the children working |
//! | child submitted after its parent ended | without a fill of the parent: `Canceled` at once; else live from its arrival |
//! | child and parent expire at one close | the parent first: a held child is `Canceled` by its parent |
//! | cancel of an ended or unknown order | nothing |
//!
//! Costs
//!
//! | rule | reading |
//! | --- | --- |
//! | what slips | market, market-on-open, market-on-close and triggered (trailing) stops, under every fill rule; nothing with a limit |
//! | `rule_based` | spread = closing ask - bid of the bar filled in, else 1 basis point of the price; half of it, plus price x k x sqrt(quantity of this fill / volume of that bar); no impact term without volume |
//! | notional | of fill prices, slippage included |

pub mod adapter;
mod agreement;
pub mod case;
mod compare;
mod costs;
pub mod generate;
mod path;
mod properties;
mod simulator;
mod table;
