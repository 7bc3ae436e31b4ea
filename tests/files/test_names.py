from seedscope.files.names import class_in_a_sentence, imagenet_name


def test_of_a_class_of_imagenet_the_first_name_is_taken():
    assert imagenet_name("n02504458 African elephant, Loxodonta africana") == ("n02504458", "African elephant")
    assert imagenet_name("dog") == ("", "dog")


def test_a_class_is_called_by_its_name_where_that_is_more_than_its_number():
    assert class_in_a_sentence(3, "3") == "class 3"
    assert class_in_a_sentence(3, "4") == "4"
    assert class_in_a_sentence(0, "n02504458 African elephant, Loxodonta africana") == "n02504458 African elephant"
