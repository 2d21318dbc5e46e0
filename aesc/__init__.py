"""Reconstruction-based visual anomaly detection with an autoencoder trained on stain-shaped noise.

Re-implements Collin & De Vleeschouwer (ICPR 2020). Modules, ground floor first: `aesc.noise`,
`aesc.model`, `aesc.metrics`, `aesc.data`; `aesc.synthetic`, `aesc.scoring`, `aesc.training`;
`aesc.experiment`, `aesc.plots`; `aesc.sweep`, `aesc.cli`.
"""
