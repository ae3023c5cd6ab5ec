import './shared_utils.js';
