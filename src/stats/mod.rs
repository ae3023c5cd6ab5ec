//! tmp
pub mod normal {
    pub fn quantile(u: f64) -> f64 {
        u
    }
}
pub mod black_scholes {
    pub fn put_price(s: f64, k: f64, _t: f64, _r: f64, _v: f64) -> f64 {
        (k - s).max(0.0)
    }
}
