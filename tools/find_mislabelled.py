"""Find photos with wrong labels: all photos in the order in which their labels should be looked at.

    python tools/find_mislabelled.py DIR --model ResNet50:imagenet             a page with pictures, and a CSV file
    python tools/find_mislabelled.py photos.csv --model best.keras --out labels.html

Each photo is judged by a classifier that has not seen it: a logistic regression on the network's features of the other
four fifths of all photos. The list is in the order of the probability of the photo's own label, and confident learning
(cleanlab) estimates how many labels are wrong. At the end, 5 % of the labels are changed on purpose, to see how many of
those a list like this one has at its beginning. Take a network that was trained on other photos: one that was trained
on these has learned their wrong labels. It needs cleanlab: pip install 'keras_resnet[labels]'.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from keras_resnet.bounds import Between, Count
from keras_resnet.command_line import JsonFile, ModelName, Output, run_tool
from keras_resnet.tables import Table, write_tables

PRINTED = 10  # photos


@dataclass(frozen=True)
class FindMislabelled:
    """Whose labels to judge, and by which network's features."""

    data: Positional[str]
    """Class folders, a CSV file of path,label[,split], record shards, the name of a TFDS data set, or demo."""
    model: ModelName
    """NAME:WEIGHTS (a file, or imagenet), a .keras file or another weight file."""
    out: Annotated[Path, Output(".html")] = Path("mislabelled.html")
    """The page; the CSV file is put beside it."""
    data_dir: Path | None = None
    """The folder of prepared TFDS data sets."""
    folds: Annotated[int, Between(2, 1000)] = 5
    """Into how many parts the photos are divided, each of which is judged by the others."""
    batch_size: Count = 32
    """Images in one forward pass."""
    json: JsonFile | None = None
    """A file for the counts as data, with the command, commit and machine."""

    def run(self) -> None:
        from keras_resnet.extras import needed

        needed("cleanlab", "labels")  # before the work
        import keras_resnet
        from keras_resnet import evaluation, inspection
        from keras_resnet.data import open_data
        from keras_resnet.data.overview import opened_parts
        from keras_resnet.data.splits import PARTS
        from keras_resnet.evaluation.embeddings import joined

        inspection.table_beside(self.out)
        data = open_data(self.data, self.data_dir)
        parts = opened_parts(data)
        model = keras_resnet.load_model(self.model)
        rows = [evaluation.embed_split(model, split, PARTS[name], self.batch_size) for name, split in parts.items()]
        photos = joined(rows, data.classes, self.model)
        ranking = evaluation.rank_labels(photos, self.folds)
        photo_places = [(split, position) for split in parts.values() for position in range(len(split))]

        def picture(number):
            split, position = photo_places[number]
            return split.picture(position)

        listed = inspection.write_label_list(data.name, ranking, photos, picture, self.out)
        different = int((ranking.answers[ranking.order] != photos.labels[ranking.order]).sum())
        print(f"{data.name}: {len(ranking.order):,} of {len(photos):,} labels judged by the photos of the other folds; "
              f"{different:,} photos look like another class, {ranking.suspects:,} labels look wrong\n")  # fmt: skip
        table = Table("labels", ("photo", "label", "probability", "looks like", "probability"))
        for i in ranking.order[: min(PRINTED, ranking.suspects)]:
            given, other = ranking.label_probabilities[i], ranking.answer_probabilities[i]
            label, answer = (photos.classes[number] for number in (photos.labels[i], ranking.answers[i]))
            table.rows.append((str(photos.photos[i]), str(label), f"{given:.1%}", str(answer), f"{other:.1%}"))
        if table.rows:
            print(f"{table.aligned()}\n")
        print(f"{self.out} shows the first, and {listed} lists all", flush=True)
        check = evaluation.check_ranking(photos, self.folds)
        places = f"{check.suspected:,} of them are among the {check.suspects:,} that look wrong then"
        first = f"{check.in_first:,} among the first {check.first:,} photos"
        print(f"with {check.changed:,} labels changed on purpose, {places}, and {first}")
        about = {"data": data.name, "model": self.model, "photos": len(photos), "judged": len(ranking.order)}
        counts = {"different_answers": different, "suspects": ranking.suspects}
        write_tables(self.json, [], **about, **counts, check=vars(check))


if __name__ == "__main__":
    run_tool(FindMislabelled, __doc__)
