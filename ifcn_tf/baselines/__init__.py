"""Methods that a network is compared with: some run here, and files that the programs of others wrote."""

#: Where the edge detector of Edge Boxes comes from, for messages and help.
EDGE_MODEL_SOURCE = "model.yml.gz of https://github.com/opencv/opencv_extra, in testdata/cv/ximgproc"
