//! The trials that breed: the best since the last restart.

use super::breeding::{self, Member};
use crate::optimize::draws::Draws;
use crate::optimize::{Domain, Goal, History, Merit, SearchSettings, Space, crowding, fronts};

#[derive(Debug, Clone)]
pub(super) struct Population {
    /// Members at most, and random points at the start.
    size: usize,
    /// Trials without an improvement before a restart.
    patience: usize,
    several_objectives: bool,
    categorical: Vec<bool>,
    /// Trials looked at.
    followed: usize,
    /// First trial since the last restart.
    start: usize,
    unimproved: usize,
    /// Best first: for several objectives by front, then the less crowded.
    members: Vec<Member>,
}

impl Population {
    pub(super) fn new(space: &Space, goal: &Goal, settings: &SearchSettings) -> Population {
        let several_objectives = goal.objectives.len() > 1;
        // At least what N. Hansen recommends for evolution strategies, 4 + 3 ln d; more with more to spend. A
        // front is made of many, so it needs more members than a point.
        let size = if several_objectives {
            settings.budget.isqrt() * 2
        } else {
            settings.budget.isqrt().max(4 + (3.0 * libm::log(space.len() as f64)) as usize)
        };
        let size = size.clamp(4, 100);
        Population {
            size,
            patience: 5 * size,
            several_objectives,
            categorical: space.parameters().iter().map(|p| matches!(p.domain, Domain::Categorical { .. })).collect(),
            followed: 0,
            start: 0,
            unimproved: 0,
            members: Vec::new(),
        }
    }

    /// Whether trial `id` is one of the random points at the start, or nothing can breed yet.
    pub(super) fn starts(&self, id: usize) -> bool {
        id - self.start < self.size || self.members.len() < 3
    }

    /// Looks at the trials up to the first one that is not told yet.
    pub(super) fn follow_until_open(&mut self, history: &History) {
        while history.trials.get(self.followed).is_some_and(|trial| trial.outcome.is_some()) {
            self.look_at(history);
        }
    }

    /// Looks at all trials; those not told yet are passed over.
    pub(super) fn follow(&mut self, history: &History) {
        while self.followed < history.trials.len() {
            self.look_at(history);
        }
    }

    fn look_at(&mut self, history: &History) {
        let id = self.followed;
        self.followed += 1;
        let Some(merit) = history.merit(id) else { return };
        let params = &history.trials[id].params;
        let counts = params.iter().map(Option::is_some).collect();
        self.admit(Member { id, point: history.space.encode(params), counts, merit });
        if self.unimproved >= self.patience {
            // A front is kept and random points join it; a point was found and another one is looked for.
            if !self.several_objectives {
                self.members.clear();
            }
            self.unimproved = 0;
            self.start = self.followed;
        }
    }

    /// Lets a trial compete for a place.
    fn admit(&mut self, member: Member) {
        let id = member.id;
        self.members.push(member);
        if self.several_objectives {
            self.sort_by_front();
        } else {
            self.members.sort_by(|a, b| a.merit.compare(&b.merit).then(a.id.cmp(&b.id)));
        }
        self.members.truncate(self.size);
        let place = self.members.iter().position(|member| member.id == id);
        let improved = if self.several_objectives { place.is_some() } else { place == Some(0) };
        self.unimproved = if improved { 0 } else { self.unimproved + 1 };
    }

    fn sort_by_front(&mut self) {
        let merits: Vec<Merit> = self.members.iter().map(|member| member.merit.clone()).collect();
        let mut order = Vec::with_capacity(merits.len());
        for front in fronts(&merits) {
            let distance = crowding(&merits, &front);
            let mut places: Vec<usize> = (0..front.len()).collect();
            places.sort_by(|&a, &b| distance[b].total_cmp(&distance[a]).then(front[a].cmp(&front[b])));
            order.extend(places.into_iter().map(|place| front[place]));
        }
        self.members = order.into_iter().map(|k| self.members[k].clone()).collect();
    }

    /// A point of the unit cube bred from the members, of which there must be at least three. Each coordinate is
    /// mutated with a probability of at least `least_mutation`.
    pub(super) fn child(&self, least_mutation: f64, draws: &mut Draws) -> Vec<f64> {
        breeding::child(&self.members, &self.categorical, least_mutation, draws)
    }
}
