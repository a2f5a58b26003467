"""Do cameras and masks agree, and if not, why? `lightning-rast doctor DATA`; docs/doctor.md."""
