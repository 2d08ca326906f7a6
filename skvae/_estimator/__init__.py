"""What makes our classes estimators: private names of scikit-learn and scikeras, parameters, files; no mathematics enters."""
