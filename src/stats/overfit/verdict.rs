//! The figures in plain words.

use serde::Serialize;

/// A probability from which on a Sharpe ratio counts as established: the level of Bailey & Lopez de Prado 2014.
const ESTABLISHED: f64 = 0.95;
/// A p-value up to which the best counts as better than the benchmark: Hansen 2005 tests at 5 %.
const SIGNIFICANT: f64 = 0.05;
/// A p-value above which the best counts as indistinguishable from the best of noise (our convention).
const INSIGNIFICANT: f64 = 0.10;
/// A PBO up to which the choice of the best carries over to other days (our convention; Bailey et al. 2016 name
/// 5 % as the customary level, too strict where many neighbouring parameters are equally good).
const CARRIES_OVER: f64 = 0.10;
/// A PBO from which on choosing the best is no better than drawing lots: at 1/2 it is at or below the median as
/// often as above.
const DRAWING_LOTS: f64 = 0.5;
/// A share of its own objective below which the median of the neighbours makes the best a needle (our convention).
const PLATEAU: f64 = 0.5;

/// What the best of many trials is judged by; `None` for what is undefined or was not computed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// Every trial made on these data.
    pub trials: usize,
    /// Days that the best was judged on.
    pub days: usize,
    /// Sharpe ratio of the best, annualised.
    pub sharpe: Option<f64>,
    /// Sharpe ratio, annualised, that the luckiest of the trials is expected to show if all are worthless.
    pub expected_max_sharpe: Option<f64>,
    /// Deflated Sharpe ratio with every trial.
    pub deflated_sharpe: Option<f64>,
    /// Deflated Sharpe ratio with the effective number of trials.
    pub deflated_sharpe_neff: Option<f64>,
    /// Minimum track record length in days.
    pub min_track_record_length: Option<f64>,
    /// Probability of backtest overfitting.
    pub pbo: Option<f64>,
    /// Consistent p-value of the test for superior predictive ability.
    pub spa_p: Option<f64>,
    /// Objective of the best and the median of its neighbours, both so that more is better.
    pub neighbourhood: Option<(f64, f64)>,
}

/// How far the best of many trials can be told from luck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The figures that would tell are undefined.
    CannotBeJudged,
    /// It is no better than the luckiest of worthless trials is expected to be.
    LikelyLuck,
    /// It is better than that, but not by enough.
    NotDistinguishable,
    /// One strict test speaks for skill and none speaks for luck.
    SomeEvidence,
    /// Every test that could be made speaks for skill.
    StrongEvidence,
}

impl Grade {
    /// The grade as a heading.
    pub fn words(self) -> &'static str {
        match self {
            Grade::CannotBeJudged => "Cannot be judged",
            Grade::LikelyLuck => "Likely luck",
            Grade::NotDistinguishable => "Not distinguishable from luck",
            Grade::SomeEvidence => "Some evidence of skill",
            Grade::StrongEvidence => "Strong evidence of skill",
        }
    }
}

/// A grade with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub grade: Grade,
    /// One sentence a figure.
    pub reasons: Vec<String>,
}

/// Grades the best of many trials:
/// - [`Grade::CannotBeJudged`] without a Sharpe ratio or a deflated one;
/// - [`Grade::LikelyLuck`] when the Sharpe ratio is not positive, the deflated one below 0.5 (the best shows less
///   than the luckiest worthless trial is expected to), or PBO 0.5 or more while the SPA p-value is above 0.10 or
///   unknown;
/// - [`Grade::StrongEvidence`] when the deflated Sharpe ratio is 0.95 or more, the SPA p-value at most 0.05, PBO at
///   most 0.10, the days reach the minimum track record length and the neighbours keep half of the objective (of
///   the last four, those that are known; PBO and SPA must be known when there was more than one trial);
/// - [`Grade::SomeEvidence`] when the deflated Sharpe ratio is 0.95 or more, or it is so for the effective number
///   of trials and the SPA p-value is at most 0.05, and PBO is not 0.5 or more;
/// - [`Grade::NotDistinguishable`] otherwise.
///
/// The levels 0.95 and 0.05 are those of the papers, the others and the way they are put together our convention.
pub fn verdict(evidence: &Evidence) -> Verdict {
    Verdict { grade: grade(evidence), reasons: reasons(evidence) }
}

fn grade(e: &Evidence) -> Grade {
    let (Some(sharpe), Some(deflated)) = (e.sharpe, e.deflated_sharpe) else { return Grade::CannotBeJudged };
    let lots = e.pbo.is_some_and(|pbo| pbo >= DRAWING_LOTS);
    let insignificant = e.spa_p.is_none_or(|p| p > INSIGNIFICANT);
    if sharpe <= 0.0 || deflated < 0.5 || (lots && insignificant) {
        return Grade::LikelyLuck;
    }
    let significant = e.spa_p.is_some_and(|p| p <= SIGNIFICANT);
    let established = deflated >= ESTABLISHED;
    let chosen_well = e.trials <= 1 || (significant && e.pbo.is_some_and(|pbo| pbo <= CARRIES_OVER));
    let long_enough = e.min_track_record_length.is_none_or(|length| e.days as f64 >= length);
    if established && chosen_well && long_enough && !e.neighbourhood.is_some_and(is_needle) {
        return Grade::StrongEvidence;
    }
    let nearly = e.deflated_sharpe_neff.is_some_and(|p| p >= ESTABLISHED) && significant;
    if (established || nearly) && !lots { Grade::SomeEvidence } else { Grade::NotDistinguishable }
}

fn is_needle((best, median): (f64, f64)) -> bool {
    best > 0.0 && median < PLATEAU * best
}

fn reasons(e: &Evidence) -> Vec<String> {
    let mut reasons = Vec::new();
    match e.sharpe {
        None => reasons.push("The returns do not vary, so there is no Sharpe ratio to judge.".to_string()),
        Some(sharpe) if sharpe <= 0.0 => {
            reasons.push(format!("The Sharpe ratio, {sharpe:.2} a year, is not positive."))
        }
        Some(sharpe) => reasons.extend(luck(e, sharpe)),
    }
    if let Some(pbo) = e.pbo {
        let meaning = if pbo >= DRAWING_LOTS {
            "choosing the best is no better than drawing lots"
        } else if pbo <= CARRIES_OVER {
            "the choice carries over to other days"
        } else {
            "the choice carries over only in part"
        };
        reasons.push(format!(
            "In {} of the ways to halve the days, the trial that was best in one half was no better than the median \
             in the other: {meaning} (PBO; lots would give about 50 %).",
            percent(pbo)
        ));
    }
    if let Some(p) = e.spa_p {
        let meaning = if p <= SIGNIFICANT { "rarely enough to count" } else { "too often to count as skill" };
        reasons.push(format!(
            "If no trial were better than the benchmark, the best would look this good in {} of the cases: {meaning} \
             (SPA p-value; at most 5 % counts).",
            percent(p)
        ));
    }
    if let Some(length) = e.min_track_record_length {
        let (days, needed) = (e.days, length.ceil());
        let meaning = if days as f64 >= length { "would be enough" } else { "would still be too few" };
        reasons.push(format!(
            "Had it been the only trial, {days} days {meaning}: such returns need {needed} to be above 0 with 95 %."
        ));
    }
    if let Some((best, median)) = e.neighbourhood {
        let meaning =
            if is_needle((best, median)) { "the best stands alone like a needle" } else { "the best is no needle" };
        reasons.push(format!("Neighbouring parameters reach {median:.4} in the median against {best:.4}: {meaning}."));
    }
    reasons
}

/// What the deflated Sharpe ratio says of a positive one.
fn luck(e: &Evidence, sharpe: f64) -> Vec<String> {
    let Some(deflated) = e.deflated_sharpe else {
        return vec![format!("There is no telling what luck would have shown among {} trials.", e.trials)];
    };
    let level = if deflated >= ESTABLISHED { ", which is enough" } else { "; 95 % would be enough" };
    let mut reasons = vec![match e.expected_max_sharpe {
        Some(luckiest) if e.trials > 1 => format!(
            "Of {} worthless trials the luckiest would show a Sharpe ratio of about {luckiest:.2} a year; the best shows \
             {sharpe:.2}. The probability that it is truly above that is {}{level} (deflated Sharpe ratio).",
            e.trials,
            percent(deflated)
        ),
        _ => format!(
            "There was one trial, so nothing was chosen: the probability that its Sharpe ratio, {sharpe:.2} a year, is \
             truly above 0 is {}{level}.",
            percent(deflated)
        ),
    }];
    if let Some(effective) = e.deflated_sharpe_neff
        && (effective >= ESTABLISHED) != (deflated >= ESTABLISHED)
    {
        reasons.push(format!(
            "As the trials resemble each other they amount to fewer; counted so, that probability is {}.",
            percent(effective)
        ));
    }
    reasons
}

/// Per cent with one decimal, never rounded to a certainty that the number does not have.
fn percent(share: f64) -> String {
    let rounded = format!("{:.1}", share * 100.0);
    match rounded.as_str() {
        "0.0" if share > 0.0 => "less than 0.1 %".to_string(),
        "100.0" if share < 1.0 => "more than 99.9 %".to_string(),
        _ => format!("{rounded} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKILL: Evidence = Evidence {
        trials: 200,
        days: 1000,
        sharpe: Some(2.5),
        expected_max_sharpe: Some(1.1),
        deflated_sharpe: Some(0.99),
        deflated_sharpe_neff: Some(0.995),
        min_track_record_length: Some(300.2),
        pbo: Some(0.04),
        spa_p: Some(0.003),
        neighbourhood: Some((2.5, 2.2)),
    };

    fn graded(change: impl FnOnce(&mut Evidence)) -> Grade {
        let mut evidence = SKILL;
        change(&mut evidence);
        verdict(&evidence).grade
    }

    #[test]
    fn strong_evidence_needs_every_test() {
        assert_eq!(verdict(&SKILL).grade, Grade::StrongEvidence);
        assert_eq!(graded(|e| e.pbo = Some(0.11)), Grade::SomeEvidence);
        assert_eq!(graded(|e| e.pbo = None), Grade::SomeEvidence);
        assert_eq!(graded(|e| e.spa_p = Some(0.051)), Grade::SomeEvidence);
        assert_eq!(graded(|e| e.days = 300), Grade::SomeEvidence);
        assert_eq!(graded(|e| e.neighbourhood = Some((2.5, 1.2))), Grade::SomeEvidence);
        assert_eq!(graded(|e| e.neighbourhood = None), Grade::StrongEvidence);
        let one = |e: &mut Evidence| (e.trials, e.pbo, e.spa_p) = (1, None, None);
        assert_eq!(graded(one), Grade::StrongEvidence);
    }

    #[test]
    fn lesser_grades() {
        assert_eq!(graded(|e| e.deflated_sharpe = Some(0.9)), Grade::SomeEvidence);
        let neither = |e: &mut Evidence| (e.deflated_sharpe, e.deflated_sharpe_neff) = (Some(0.9), Some(0.94));
        assert_eq!(graded(neither), Grade::NotDistinguishable);
        assert_eq!(graded(|e| e.pbo = Some(0.5)), Grade::NotDistinguishable);
        assert_eq!(graded(|e| (e.pbo, e.spa_p) = (Some(0.5), Some(0.2))), Grade::LikelyLuck);
        assert_eq!(graded(|e| e.deflated_sharpe = Some(0.49)), Grade::LikelyLuck);
        assert_eq!(graded(|e| e.sharpe = Some(-0.1)), Grade::LikelyLuck);
        assert_eq!(graded(|e| e.sharpe = None), Grade::CannotBeJudged);
        assert_eq!(graded(|e| e.deflated_sharpe = None), Grade::CannotBeJudged);
        assert_eq!(verdict(&Evidence::default()).grade, Grade::CannotBeJudged);
    }

    #[test]
    fn every_figure_has_its_sentence() {
        let reasons = verdict(&SKILL).reasons;
        let expected = [
            "Of 200 worthless trials the luckiest would show a Sharpe ratio of about 1.10 a year; the best shows 2.50. \
             The probability that it is truly above that is 99.0 %, which is enough (deflated Sharpe ratio).",
            "In 4.0 % of the ways to halve the days, the trial that was best in one half was no better than the median \
             in the other: the choice carries over to other days (PBO; lots would give about 50 %).",
            "If no trial were better than the benchmark, the best would look this good in 0.3 % of the cases: rarely \
             enough to count (SPA p-value; at most 5 % counts).",
            "Had it been the only trial, 1000 days would be enough: such returns need 301 to be above 0 with 95 %.",
            "Neighbouring parameters reach 2.2000 in the median against 2.5000: the best is no needle.",
        ];
        assert_eq!(reasons, expected);
        let mut less = SKILL;
        less.deflated_sharpe = Some(0.9);
        assert!(verdict(&less).reasons[1].contains("that probability is 99.5 %"));
    }

    #[test]
    fn rounding_claims_no_certainty() {
        assert_eq!(
            [0.0, 0.0001, 0.5, 0.9999, 1.0].map(percent),
            ["0.0 %", "less than 0.1 %", "50.0 %", "more than 99.9 %", "100.0 %"]
        );
    }
}
