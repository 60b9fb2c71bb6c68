"""A competition of 2×2 pictures, four rows to train on and three to predict."""

TRAIN = "label,pixel0,pixel1,pixel2,pixel3\n0,0,1,2,3\n1,10,20,30,40\n0,255,254,253,252\n1,7,70,100,200\n"
TEST = "pixel0,pixel1,pixel2,pixel3\n9,8,7,6\n5,4,3,2\n1,0,255,128\n"
