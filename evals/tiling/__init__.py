"""Objects across seams: scenes with known objects, a segmenter that knows them, and how many objects each rule leaves."""
