"""Reconstruction-based visual anomaly detection with an autoencoder trained on stain-shaped noise.

Re-implements Collin & De Vleeschouwer (ICPR 2020). The API page of the book shows the modules floor
by floor: each imports only from floors below its own.
"""
