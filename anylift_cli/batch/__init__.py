"""Many clips: found, shared out to workers on one machine or many, lifted, and accounted for."""
