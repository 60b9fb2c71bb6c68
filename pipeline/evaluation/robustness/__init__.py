"""What a trained network can stand: changed pictures, attacks, certificates, and how sure it may be.

corruptions.py   noise, blur, occlusion, brightness, contrast: the table of severities, and `corrupt`
overlays.py      stripe, fog, spatter, lines, edges: what is laid over a picture
warps.py         rotation, scaling, shear, translation, elastic distortion, shifts by whole pixels
conditions.py    test conditions from their names: "gaussian_noise 3", "shift right 4", "σ 0.2"
attacks.py       the ε ball, input gradients, and `attack`, which runs, clips and scores
methods.py       FGSM, PGD and random search: what differs between attacks
apgd.py          the attack that tables rest on: APGD by cross-entropy and towards every wrong class
minimal_norm.py  FMN: the distance to the nearest mistake, without an ε
attack_sanity.py the checks that tell an attack that is weak from a network that is strong
adversarial.py   attacks on training batches
certificates.py  randomised smoothing: radii within which the answer provably stays
ladder.py        accuracy against ε from both sides: what attacks leave, what is proven
bounds.py        interval bounds and CROWN: L∞ changes that provably move no answer
calibration.py   whether the probabilities can be believed, and accuracy when "not sure" is allowed
"""
