"""A grocery chain's loyalty programme: what households bought, and the coupons they redeem."""
