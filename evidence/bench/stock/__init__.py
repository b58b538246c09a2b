"""The same routes as an experienced team would write them with Django REST framework's own parts, to compare with."""
