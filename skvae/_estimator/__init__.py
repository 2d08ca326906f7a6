"""Makes the classes scikit-learn estimators: private names of scikit-learn and scikeras, parameters, files; no mathematics enters."""
