"""Writes converted/: small models of scikit-learn, LightGBM and XGBoost as their converters write them.

Not run by the tests. It was run with scikit-learn 1.9.1, skl2onnx 1.20.0, onnxmltools 1.16.0, lightgbm 4.7.0 and
xgboost 3.2.0. The data are random; what matters is the form of the nodes.
"""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import onnxmltools
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as Floats
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn import (
    calibration,
    cluster,
    decomposition,
    discriminant_analysis,
    ensemble,
    gaussian_process,
    impute,
    linear_model,
    mixture,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

FOLDER = Path(__file__).parent / "converted"
OPSETS = {"": 18, "ai.onnx.ml": 3}
ROWS, FEATURES = 90, 4
random = np.random.default_rng(5)
numbers = np.arange(ROWS) % 3
data = (random.normal(size=(ROWS, FEATURES)) + numbers[:, None] * [1.5, -1, 0.5, 0]).astype(np.float32)
names = np.array(["setosa", "versicolor", "virginica"])[numbers]
target = (data @ [1.0, -2.0, 0.5, 3.0] + random.normal(size=ROWS) / 10).astype(np.float32)
SEED = {"random_state": 0}


def save(name: str, model) -> None:
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())


def save_estimators() -> None:
    """With ZipMap, but for those whose name ends in "_array"."""
    few = {"max_depth": 4, **SEED}
    two = numbers > 0
    logistic = linear_model.LogisticRegression(max_iter=500)
    pair = [("a", logistic), ("b", tree.DecisionTreeClassifier(max_depth=3, **SEED))]
    classifiers = {
        "ada": (ensemble.AdaBoostClassifier(n_estimators=5, **SEED), numbers),
        "bagging": (ensemble.BaggingClassifier(n_estimators=3, **SEED), numbers),
        "bernoulli_bayes": (naive_bayes.BernoulliNB(), names),
        "boosting": (ensemble.GradientBoostingClassifier(n_estimators=4, **SEED), numbers),
        "boosting_binary": (ensemble.GradientBoostingClassifier(n_estimators=6, **SEED), two.astype(int)),
        "calibrated": (calibration.CalibratedClassifierCV(logistic, cv=2), numbers),
        "decision_tree": (tree.DecisionTreeClassifier(**few), names),
        "discriminant": (discriminant_analysis.LinearDiscriminantAnalysis(), names),
        "extra_trees": (ensemble.ExtraTreesClassifier(6, **few), names),
        "forest": (ensemble.RandomForestClassifier(8, **few), numbers),
        "forest_binary": (ensemble.RandomForestClassifier(8, **few), two.astype(int)),
        "gaussian_bayes": (naive_bayes.GaussianNB(), numbers),
        "linear_svc": (svm.LinearSVC(**SEED), numbers),
        "logistic": (logistic, names),
        "logistic_array": (logistic, numbers),
        "logistic_binary": (logistic, two.astype(int)),
        "neighbours": (neighbors.KNeighborsClassifier(3), names),
        "one_vs_one": (multiclass.OneVsOneClassifier(logistic), numbers),
        "one_vs_rest": (multiclass.OneVsRestClassifier(logistic), numbers),
        "perceptron": (neural_network.MLPClassifier((8,), max_iter=100, **SEED), names),
        "quadratic": (discriminant_analysis.QuadraticDiscriminantAnalysis(), numbers),
        "ridge_classifier": (linear_model.RidgeClassifier(), numbers),
        "sgd": (linear_model.SGDClassifier(loss="log_loss", **SEED), numbers),
        "stacking": (ensemble.StackingClassifier(pair), numbers),
        "svc": (svm.SVC(**SEED), numbers),
        "svc_binary": (svm.SVC(probability=True, kernel="linear", **SEED), two.astype(int)),
        "svc_probability": (svm.SVC(probability=True, kernel="poly", **SEED), names),
        "svc_probability_array": (svm.NuSVC(probability=True, **SEED), numbers),
    }
    for name, (estimator, labels) in classifiers.items():
        options = {id(estimator): {"zipmap": False}} if name.endswith("_array") else None
        save(name, to_onnx(estimator.fit(data, labels), data[:1], options=options, target_opset=OPSETS))
    regressors = {
        "bayesian_ridge": linear_model.BayesianRidge(),
        "boosting_regressor": ensemble.GradientBoostingRegressor(n_estimators=6, **SEED),
        "elastic_net": linear_model.ElasticNet(0.01),
        "forest_regressor": ensemble.RandomForestRegressor(5, **few),
        "gaussian_process": gaussian_process.GaussianProcessRegressor(**SEED),
        "linear_regression": linear_model.LinearRegression(),
        "neighbours_regressor": neighbors.KNeighborsRegressor(3),
        "poisson": linear_model.PoissonRegressor(),
        "svr": svm.SVR(),
        "voting_regressor": ensemble.VotingRegressor(
            [("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(**few))]
        ),
    }
    for name, estimator in regressors.items():
        labels = np.abs(target) if name == "poisson" else target
        save(name, to_onnx(estimator.fit(data[::2], labels[::2]), data[:1], target_opset=OPSETS))
    others = {
        "gaussian_mixture": mixture.GaussianMixture(3, **SEED),
        "isolation_forest": ensemble.IsolationForest(n_estimators=4, **SEED),
        "k_means": cluster.KMeans(3, n_init=1, **SEED),
        "one_class_svm": svm.OneClassSVM(),
        "polynomial": preprocessing.PolynomialFeatures(2),
        "principal_components": make_pipeline(impute.SimpleImputer(), decomposition.PCA(2)),
        "quantiles": preprocessing.QuantileTransformer(n_quantiles=12),
        "bins": preprocessing.KBinsDiscretizer(4, encode="onehot-dense"),
        "scalers": make_pipeline(
            preprocessing.StandardScaler(),
            preprocessing.MinMaxScaler(),
            preprocessing.RobustScaler(),
            preprocessing.Normalizer(),
        ),
    }
    for name, estimator in others.items():
        save(name, to_onnx(estimator.fit(data), data[:1], target_opset=OPSETS))


def save_imputer() -> None:
    """Of functions that are written for another opset than the model."""
    missing = data[:20].copy()
    missing[::3, 0] = missing[1::4, 2] = np.nan
    imputer = impute.KNNImputer(n_neighbors=2).fit(missing)
    types = [("x", FloatTensorType([None, FEATURES]))]
    save("neighbours_imputer", convert_sklearn(imputer, initial_types=types, target_opset=22))


def save_columns() -> None:
    import pandas

    frame = pandas.DataFrame(
        {
            "a": data[:, 0],
            "b": data[:, 1],
            "c": np.array(["u", "v", "w"])[random.integers(0, 3, ROWS)],
            "d": random.integers(0, 4, ROWS),
        }
    )
    columns = ColumnTransformer(
        [
            ("scaled", preprocessing.StandardScaler(), ["a", "b"]),
            ("one_hot", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["c"]),
            ("ordinal", preprocessing.OrdinalEncoder(), ["d"]),
        ]
    )
    pipeline = make_pipeline(columns, linear_model.LogisticRegression(max_iter=300)).fit(frame, names)
    floats, texts, integers = (kind([None, 1]) for kind in (FloatTensorType, StringTensorType, Int64TensorType))
    types = [("a", floats), ("b", floats), ("c", texts), ("d", integers)]
    save("columns", convert_sklearn(pipeline, initial_types=types, target_opset=OPSETS))


def save_texts() -> None:
    documents = [
        "This is the first document",
        "this document is the second document!",
        "and this is the THIRD one",
        "is this the first document?",
        "hello big big world",
    ] * 3
    labels = np.array([0, 1, 1, 0, 1] * 3)
    logistic = linear_model.LogisticRegression()
    pipelines = {
        "text_characters": make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 2)), logistic),
        "text_counts": make_pipeline(CountVectorizer(ngram_range=(1, 2)), naive_bayes.MultinomialNB()),
        "text_pattern": make_pipeline(TfidfVectorizer(token_pattern=r"[a-z]+", stop_words=["is"]), logistic),
        "text_words": make_pipeline(TfidfVectorizer(), logistic),
    }
    types = [("text", StringTensorType([None, 1]))]
    for name, pipeline in pipelines.items():
        save(name, convert_sklearn(pipeline.fit(documents, labels), initial_types=types, target_opset=OPSETS))


def save_boosted() -> None:
    types = [("x", Floats([None, FEATURES]))]
    common = {"n_estimators": 6, "num_leaves": 7, "verbose": -1, "min_child_samples": 5}
    missing = data.copy()
    missing[::3, 0] = np.nan
    models = {
        "lightgbm_classifier": lightgbm.LGBMClassifier(**common).fit(data, numbers),
        "lightgbm_missing": lightgbm.LGBMRegressor(**common).fit(missing, target),
    }
    categories = data.copy()
    categories[:, 3] = np.arange(ROWS) % 6
    alone = {"min_data_per_group": 1, "cat_smooth": 0, "max_cat_to_onehot": 1}
    models["lightgbm_categories"] = lightgbm.LGBMRegressor(**common, **alone).fit(
        categories, np.array([0, 3, 1, 1, 0, 3])[np.arange(ROWS) % 6] + data[:, 0], categorical_feature=[3]
    )
    for name, model in models.items():
        save(name, onnxmltools.convert_lightgbm(model, initial_types=types))
    few = {"n_estimators": 4, "max_depth": 3}
    for name, model in {
        "xgboost_classifier": xgboost.XGBClassifier(**few).fit(data, numbers),
        "xgboost_binary": xgboost.XGBClassifier(**few).fit(data, (numbers > 0).astype(int)),
        "xgboost_regressor": xgboost.XGBRegressor(**few).fit(data, target),
    }.items():
        save(name, onnxmltools.convert_xgboost(model, initial_types=types))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    save_estimators()
    save_imputer()
    save_columns()
    save_texts()
    save_boosted()
