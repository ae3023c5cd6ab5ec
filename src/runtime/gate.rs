//! Who may pass: phase, then login, then role, then forgery. Nothing of a body is looked at before.

use std::net::{IpAddr, Ipv4Addr};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Phase;
use super::house::House;
use super::protocol::{Context, CookieChange, Page, PageName, PageUser, Peer, Reply, Request, Secret};
use super::reply::Refusal;
use super::routes::{Access, Kind, ROUTES, Route, Use};
use crate::market::Nanos;
use crate::vault::Actor;
use crate::vault::audit::{Action, Entry};
use crate::vault::sessions::{Activity, Authenticated};
use crate::vault::users::Role;

/// Who asks, after the gate.
#[derive(Debug)]
pub struct Caller {
    /// Who is logged in.
    pub user: Option<Authenticated>,
    /// Cookies and headers.
    pub peer: Peer,
    /// When.
    pub now: Nanos,
}

impl Caller {
    /// For the audit log.
    pub fn actor(&self) -> Actor {
        // The program itself has no address.
        let nobody = if self.peer.ip.is_empty() { "core" } else { "" };
        let user = self.user.as_ref().map_or(nobody, |user| &user.account.username);
        Actor { user: user.to_string(), ip: self.peer.ip.clone() }
    }

    /// The address, for limits by address.
    pub fn address(&self) -> IpAddr {
        self.peer.ip.parse().unwrap_or(Ipv4Addr::UNSPECIFIED.into())
    }

    /// Whether an admin asks.
    pub fn is_admin(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.account.role == Role::Admin)
    }

    /// What every page knows.
    pub fn context(&self, house: &House) -> Context {
        Context {
            phase: house.phase(),
            bot_state: house.bot_state().word().to_string(),
            identity: house.identity(),
            version: house.version.clone(),
            user: self.user.as_ref().map(|user| PageUser {
                id: user.user_id,
                username: user.account.username.clone(),
                admin: user.account.role == Role::Admin,
            }),
            csrf: self.user.as_ref().and_then(|user| house.sessions.csrf(user.session)).map(Secret::new),
        }
    }

    /// Where a browser belongs that is at no page of its phase.
    pub fn home(&self, house: &House) -> &'static str {
        house.phase().page(self.user.is_some())
    }
}

/// Finds out who asks, and whether they may.
///
/// # Errors
/// The answer to whoever may not.
pub fn admit(house: &mut House, request: &Request, now: Nanos) -> Result<(Caller, &'static Route), Box<Reply>> {
    let phase = house.phase();
    let route = request.op.map(Route::of);
    let activity = match route {
        Some(Route { using: Use::Deed, .. }) if !request.other_method => Activity::Request,
        _ => Activity::Polling,
    };
    let caller = identify(house, request, activity, now);
    match passes(house, request, &caller, route, phase) {
        Ok(route) => Ok((caller, route)),
        Err(mut reply) => {
            // A newer token must not be lost with a refusal.
            reply.cookies = session_cookies(&caller);
            Err(reply)
        }
    }
}

fn passes(
    house: &mut House,
    request: &Request,
    caller: &Caller,
    route: Option<&'static Route>,
    phase: Phase,
) -> Result<&'static Route, Box<Reply>> {
    if let (true, Some(known)) = (request.other_method, route) {
        let is_open = ROUTES.iter().any(|route| route.path == known.path && route.phases.contain(phase));
        if is_open {
            let refusal = Refusal::new(405, "method", "This address does not take this method.");
            return Err(Box::new(refuse(house, caller, known, refusal)));
        }
    }
    let Some(route) = route.filter(|route| route.phases.contain(phase) && !request.other_method) else {
        return Err(Box::new(closed(house, request, caller, phase)));
    };
    match (route.access, &caller.user) {
        (Access::Public, _) => {}
        (_, None) if route.is_api() => return Err(Box::new(Refusal::not_logged_in().into())),
        (_, None) => return Err(Box::new(Reply::redirect("/login"))),
        (Access::Viewer, Some(_)) => {}
        (Access::Admin, Some(_)) if caller.is_admin() => {}
        (Access::Admin, Some(_)) => {
            note(house, caller, Action::AuthzDeny, route);
            return Err(Box::new(refuse(house, caller, route, Refusal::forbidden("This is for admins only."))));
        }
    }
    if !route.method.is_safe() && !is_genuine(house, request, caller, route) {
        note(house, caller, Action::CsrfDeny, route);
        let why = "The form is out of date or was sent from another site. Reload the page and try again.";
        return Err(Box::new(refuse(house, caller, route, Refusal::new(403, "csrf", why))));
    }
    Ok(route)
}

/// A refusal in the form that the route speaks.
pub fn refuse(house: &House, caller: &Caller, route: &Route, refusal: Refusal) -> Reply {
    if route.is_api() { refusal.into() } else { refused_page(house, caller, refusal) }
}

fn refused_page(house: &House, caller: &Caller, refusal: Refusal) -> Reply {
    let data = serde_json::json!({ "status": refusal.status, "message": refusal.message });
    let page = Page { name: PageName::Refused, context: caller.context(house), data };
    Reply { status: refusal.status, page: Some(page), retry_after: refusal.retry_after, ..Reply::default() }
}

/// The answer where no route is open. It does not tell whether there is one in another phase.
fn closed(house: &House, request: &Request, caller: &Caller, phase: Phase) -> Reply {
    let halted = phase == Phase::Error && !request.safe;
    match (request.api, &caller.user) {
        (true, _) if halted => Refusal::new(409, "halted", "The bot is halted; only reading is possible.").into(),
        (true, _) => Refusal::new(404, "wrong_phase", "There is nothing here now.").into(),
        // Somebody who is logged in and mistyped is told so, instead of being sent around.
        (false, Some(_)) if phase == Phase::Main && request.op.is_none() => {
            refused_page(house, caller, Refusal::new(404, "not_found", "There is no such page."))
        }
        (false, _) => Reply::redirect(caller.home(house)),
    }
}

/// The session of the first cookie that has one.
fn identify(house: &mut House, request: &Request, activity: Activity, now: Nanos) -> Caller {
    let mut user = None;
    let keys = house.session_keys().clone();
    if let Some(users) = &house.users {
        for token in &request.peer.sessions {
            if let Ok(found) = house.sessions.authenticate(token.expose(), activity, users, &keys, now) {
                user = Some(found);
                break;
            }
        }
    }
    Caller { user, peer: request.peer.clone(), now }
}

/// Whether a request that changes something comes from a page of ours: by what the browser says of its origin, and by
/// the token of the session or, before a login, of the pre-session.
fn is_genuine(house: &House, request: &Request, caller: &Caller, route: &Route) -> bool {
    let peer = &request.peer;
    // Anything but these comes from elsewhere, whatever it is.
    if peer.fetch_site.as_deref().is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    if let Some(origin) = &peer.origin {
        let same = match house.public_origin() {
            Some(public) => *origin == public,
            None => {
                let host = origin.split_once("://").map(|(_, host)| host);
                host == Some(peer.host.as_str()) && (peer.exposed || is_this_machine(&peer.host))
            }
        };
        if !same {
            return false;
        }
    }
    let from_form = match route.kind {
        Kind::Form => form_token(request),
        _ => None,
    };
    let Some(token) = from_form.as_ref().or(peer.csrf.as_ref()) else { return false };
    let of_session = caller.user.as_ref().is_some_and(|u| house.sessions.csrf_matches(u.session, token.expose()));
    let of_browser = || {
        let expected = peer.pre.as_ref().map(|pre| csrf_before_login(pre.expose()));
        expected.is_some_and(|expected| expected.as_bytes().ct_eq(token.expose().as_bytes()).into())
    };
    of_session || (route.access == Access::Public && of_browser())
}

/// Whether `Host` is a name of this machine. Who listens on it alone is reached by no other: a page elsewhere that has
/// its own name pointed here (DNS rebinding) is of one origin with us as the browser sees it, and could do the first
/// run, for which nobody has to log in.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn form_token(request: &Request) -> Option<Secret> {
    let fields = form_urlencoded::parse(request.body.expose().as_bytes());
    let mut tokens = fields.filter(|(name, _)| name == "csrf_token");
    tokens.next().map(|(_, value)| Secret::new(value.into_owned()))
}

/// The CSRF token of a browser that nobody is logged in with: it follows from its cookie, so that no key is needed.
pub fn csrf_before_login(pre: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("tbot-csrf-v1").chain_update(pre).finalize())
}

/// Audits a refusal. Who is refused without end is audited at the rate of logins.
fn note(house: &mut House, caller: &Caller, action: Action, route: &Route) {
    if house.denials.take(caller.address(), caller.now).is_err() {
        return;
    }
    let target = format!("{} {}", route.method.name(), route.path);
    house.audit.note(Entry::new(caller.now, &caller.actor(), action, &target, "denied"));
}

/// Cookies that an answer carries because of the session itself: a newer token.
pub fn session_cookies(caller: &Caller) -> Vec<CookieChange> {
    let replacement = caller.user.as_ref().and_then(|user| user.replacement.as_ref());
    replacement.map(|token| CookieChange::Session(Secret::new(token.as_str()))).into_iter().collect()
}
