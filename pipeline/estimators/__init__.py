"""The network under scikit-learn's contract, in the place of MLPClassifier and MLPRegressor:

>>> from pipeline.estimators import NetworkClassifier as MLPClassifier
"""

from pipeline.estimators.classifier import NetworkClassifier
from pipeline.estimators.regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
