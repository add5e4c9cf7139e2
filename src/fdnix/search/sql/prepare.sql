PREPARE {macro} AS SELECT * FROM {macro}({arguments});
